/** Stage 5, source. The address of a database with a time for each statement, as the driver `pg` reads it. */

/** The address, as it was where it says something of the kind itself. */
export function withStatementTimeout(address: string, timeoutMs: number): string {
  const [, parameters = ''] = address.split('?')
  const names = new URLSearchParams(parameters)
  if (names.has('statement_timeout') || names.get('options')?.includes('statement_timeout') === true)
    return address
  return `${address.trim()}${address.includes('?') ? '&' : '?'}statement_timeout=${timeoutMs}`
}
