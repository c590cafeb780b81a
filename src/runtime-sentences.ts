/** Every sentence of Node.js and V8 that something is decided by, where they give no code; a test pins them to the running version. */

/** V8 has no string of 512 MiB; it says so in two ways. */
export function isStringTooLong(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    Reflect.get(error, 'code') === 'ERR_STRING_TOO_LONG' ||
    (error instanceof RangeError && error.message === 'Invalid string length')
  )
}

/** Whether `require`, `module` or `__dirname` were used in an ES module. */
export function isCommonJsName(error: ReferenceError): boolean {
  return error.message.includes('in ES module scope')
}

/** Without the list of who required it, which Node.js adds. */
export function withoutRequireStack(message: string): string {
  return message.replace(/\nRequire stack:.*$/s, '').trim()
}

/** The path or package that could not be found; null where it is something else that failed. */
export function missingModuleOf(message: string): string | null {
  return /Cannot find (?:module|package) '([^']+)'/.exec(message)?.[1] ?? null
}
