/** Values of unknown shape: what one has under a name, be it an error, a config or a client of another library; what a text is. */

/** An object whose members are not known yet. */
export type Members = Readonly<Record<string, unknown>>

/** Whether the value can have members: an object, or a list. */
export function hasMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null
}

/** The member; undefined where the value is no object, or has none of that name. */
export function memberOf(value: unknown, name: string): unknown {
  return hasMembers(value) ? value[name] : undefined
}

/** What a text is in JSON; null where it is none, as for the text `null`. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
