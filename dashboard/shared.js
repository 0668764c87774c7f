// The shared worker: it lives as long as a tab of this browser is open.

import {Exchange} from "./exchange.js";
import {browser} from "./stream.js";

const exchange = new Exchange(browser);

addEventListener("connect", ({ports: [port]}) => {
  port.onmessage = ({data}) => exchange.receive(port, data);
  port.onclose = () => exchange.receive(port, {close: true}); // a tab that crashed, where it is told
});
exchange.live();
