// @ts-check

/**
 * `act` at once, then at most every `ms`; a call in between is kept for the end of the wait, so the last is never lost.
 * If `act` answers with a number, it is called once more after so many milliseconds.
 * @param {() => unknown} act @param {number} ms
 */
export function throttled(act, ms) {
  let waiting = false;
  let wanted = false;
  const run = async () => {
    waiting = true;
    wanted = false;
    const again = await act();
    if (typeof again === "number") wanted = true;
    setTimeout(() => {
      waiting = false;
      if (wanted) run();
    }, typeof again === "number" ? again : ms);
  };
  return () => {
    wanted = true;
    if (!waiting) run();
  };
}
