// What Q is, in words, by what the worker says of whatever computes it.

const kinds = [
  [/^mtcnn$/, "mean face probability of the batch"],
  [/^points:/, "share of the batch within three standard deviations of a mode"],
  [/^onnx:/, "mean class probability of the batch"]
];

// name: as the worker says it; "" and null without one.
export function qualityText(name) {
  if (!name) return "mean score of the batch, from 0 (bad) to 1 (good)";
  const text = kinds.find(([pattern]) => pattern.test(name))?.[1] ?? "mean score of the batch";
  return `${text}, by ${name}`;
}
