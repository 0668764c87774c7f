// Where a run was taken up again: by a new process, or by steps that went back within one; and
// where Q or D was measured with something else from then on.

import {formatCount, formatDate} from "./format.js";

// segments, remeasured: as REST gives them. Returns [{step, time, word, text}] by step, those only
// whose rows are not hidden: what comes later hides everything from its first step on.
export function restartsOf(segments, remeasured = []) {
  const begun = segments.filter((segment) => segment.first_step !== null);
  const all = begun.flatMap((segment, i) => [
    ...(i > 0 ? [resumed(segment)] : []),
    ...(segment.rewinds ?? []).map(wentBack)
  ]);
  const shown = [];
  for (const restart of all.reverse()) {
    if (restart.step < (shown[0]?.step ?? Infinity)) shown.unshift(restart);
  }
  const marks = [...shown, ...remeasured.map(measuredAnew)].sort((a, b) => a.step - b.step);
  return marks.reduce(joinMarks, []);
}

// What happened at one step is one mark: a worker with other options often comes with a resume.
function joinMarks(marks, mark) {
  const last = marks.at(-1);
  if (last?.step !== mark.step) return [...marks, mark];
  const both = {word: `${last.word}, ${mark.word}`, text: `${last.text}. ${mark.text}`};
  return [...marks.slice(0, -1), {...last, ...both}];
}

const resumed = ({first_step: step, started: time, host}) => ({
  step,
  time,
  word: "resumed",
  text: `Resumed at step ${formatCount(step)}, ${formatDate(time)}${host ? ` on ${host}` : ""}`
});

const measuredAnew = ({metric, step, time, before, after}) => ({
  step,
  time,
  word: `${metric} measured anew`,
  text:
    `${metric} from step ${formatCount(step)} on is measured with ${after}, ` +
    `before with ${before}`
});

const wentBack = ({step, time}) => ({
  step,
  time,
  word: "went back",
  text: `Went back to step ${formatCount(step)}, ${formatDate(time)}`
});
