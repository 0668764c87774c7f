// One panel as a picture that stands alone: the words that the page writes over it are in it.

import {figureOf, frameOf} from "./figure.js";
import {lineName} from "./panels.js";

const pngScale = 2; // pixels for each of the page's
const letterWidth = 7; // px, about
const wordGap = 18; // px
const textSize = 12; // px

// Returns {data, layout} for Plotly. look: as for figureOf.
export function pictureOf(frame, panel, look) {
  const width = frame.place.left + frame.place.width + frame.place.right;
  const alone = frameOf({...frame, panels: [panel], range: frame.view}, width);
  const [data, layout] = figureOf(alone, look, false);
  const annotations = wordsOf(alone, panel, look);
  return {data, layout: {...layout, paper_bgcolor: look.resolve("--page"), annotations}};
}

function wordsOf(frame, panel, look) {
  const title = [panel.title, panel.unit].filter(Boolean).join(", ");
  const words = [
    {text: title, color: look.resolve("--ink")},
    ...panel.metrics.map((metric) => ({
      text: `— ${lineName(metric, panel)}`,
      color: look.resolve(frame.color(metric))
    }))
  ];
  const place = {x: 0, y: 1, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom"};
  let left = 0;
  return words.map(({text, color}) => {
    const word = {...place, xshift: left, text: plain(text), font: {color, size: textSize}};
    left += text.length * letterWidth + wordGap;
    return {...word, showarrow: false};
  });
}

// Plotly reads tags in its texts; a name is never markup.
export const plain = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export async function drawPicture(plotly, picture, format) {
  const {width, height} = picture.layout;
  const scale = format === "png" ? pngScale : 1;
  return readData(await plotly.toImage(picture, {format, width, height, scale}));
}

// The page's policy lets nobody fetch a data: address, so it is read here.
export function readData(url) {
  const [, type, coding, body] = /^data:([^;,]*)([^,]*),(.*)$/s.exec(url);
  const decoded = coding.endsWith(";base64")
    ? Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0))
    : decodeURIComponent(body);
  return new Blob([decoded], {type});
}
