/** What a value of unknown shape has under a name: an error, a config, a client of another library. */

/** The member; undefined where the value is no object, or has none of that name. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
