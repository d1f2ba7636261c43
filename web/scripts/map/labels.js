// @ts-check

const LETTER_PX = 12.5;
const HALF_HEIGHT_PX = 8;
const MARK_PX = 12;
const SHIFTS = [0, -22, 22, -36, 36];

/**
 * Where each name can stand: near its place, over no name placed before it, and over as few marks as can be. null where
 * it would cover another name: it waits for a closer view.
 * @param {{ at: [number, number], name: string, room: number }[]} wanted  `room`: pixels a name may shift and still be in its 동
 * @param {[number, number][]} marks
 * @returns {([number, number] | null)[]}
 */
export function placeLabels(wanted, marks) {
  /** @type {number[][]} */
  const taken = [];
  return wanted.map(({ at: [x, y], name, room }) => {
    const half = (name.length * LETTER_PX) / 2;
    const near = marks.filter(([mx, my]) => Math.abs(mx - x) < half + MARK_PX && Math.abs(my - y) < 60);
    const choices = SHIFTS.filter((shift) => Math.abs(shift) <= room)
      .map((shift) => ({ y: y + shift, covers: near.filter(([, my]) => Math.abs(my - y - shift) < HALF_HEIGHT_PX + MARK_PX).length }))
      .filter((choice) => taken.every((box) => x - half > box[2] || x + half < box[0] || choice.y - HALF_HEIGHT_PX > box[3] || choice.y + HALF_HEIGHT_PX < box[1]))
      .sort((a, b) => a.covers - b.covers);
    if (!choices.length) return null;
    taken.push([x - half, choices[0].y - HALF_HEIGHT_PX, x + half, choices[0].y + HALF_HEIGHT_PX]);
    return [x, choices[0].y];
  });
}
