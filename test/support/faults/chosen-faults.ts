/** Which functions are thrown in: by default a few of those that matter most, by ROWCAST_FAULTS all, or those whose names it finds. */

import { sourceFile } from './source-file.mjs'

/** They call what Node.js has under that name and a guarded function, and nothing else: only Node.js can throw there. */
const PASSES_ON = new RegExp(`^${sourceFile('server/limits/counted-response.ts')}#(?:write|end):`)

/**
 * The names of the functions to throw in.
 * @param called each function that was called, and whether Node.js or the guard called it
 * @param choose what to take where nothing else is asked for
 */
export function chosenFaults(
  called: ReadonlyMap<string, boolean>,
  choose: (faults: readonly (readonly [fault: string, isEntry: boolean])[]) => readonly string[],
): readonly string[] {
  const faults = [...called].filter(([fault]) => !PASSES_ON.test(fault))
  const wanted = process.env['ROWCAST_FAULTS']
  if (wanted === undefined) return choose(faults)
  const names = faults.map(([fault]) => fault)
  return wanted === 'all' ? names : names.filter((fault) => new RegExp(wanted).test(fault))
}
