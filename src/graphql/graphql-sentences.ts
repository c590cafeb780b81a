/**
 * Stage 7, graphql. Every sentence of graphql-js that something is decided by, where it gives no code; a test pins them to
 * the installed version. Messages quote what clients send, so that the time is linear in their length.
 */

const SYNTAX_ERROR = 'Syntax Error: '

/** Whether the document could not be parsed. */
export function isSyntaxError(message: string): boolean {
  return message.startsWith(SYNTAX_ERROR)
}

/** Without what parsing puts before each of its messages. */
export function withoutSyntaxError(message: string): string {
  return isSyntaxError(message) ? message.slice(SYNTAX_ERROR.length) : message
}

/** Whether the parser stopped at `maxTokens`. */
export function isTokenLimit(message: string): boolean {
  return message.includes('tokens. Parsing aborted')
}

/** Whether an argument was refused when it was read, as of a variable that turns out not to fit. */
export function isArgumentRefusal(message: string): boolean {
  return message.startsWith('Argument "')
}

/** Whether it quotes a value: one that a type cannot show, or take. */
export function quotesValue(message: string): boolean {
  return [' cannot represent ', ' but got: '].some((words) => message.includes(words))
}

/** Whether one of graphql-js' scalars, or an enum, cannot show a value. */
export function isScalarRefusal(message: string): boolean {
  return /^(?:Int|Float|String|Boolean|ID|Enum "\w+") cannot represent /.test(message)
}

/** Why it cannot, by the start of the sentence, or its end where that cannot be data. */
export function scalarRefusalReason(message: string): string {
  if (/^Float .*: (?:NaN|-?Infinity)$/.test(message)) return 'not-finite'
  if (message.startsWith('Int cannot represent non 32-bit')) return 'int-out-of-range'
  return message.startsWith('Enum "') ? 'unknown-label' : 'wrong-type'
}

const SUGGESTION = 'Did you mean '

/**
 * The message without `Did you mean "name"?`, up to the last question mark: graphql-js ends its messages with it, in
 * validation and in reading variables.
 */
export function cutSuggestion(message: string): string {
  const start = message.indexOf(SUGGESTION)
  const end = message.lastIndexOf('?') + 1
  if (start < 0 || end < start + SUGGESTION.length) return message
  const kept = message[start - 1] === ' ' ? start - 1 : start
  return message.slice(0, kept) + message.slice(end)
}

/** What stands around the name of an input type where graphql-js was given something else than an object. */
const OBJECT_EXPECTED = [
  ['Expected value of type "', '", found '],
  ['Expected type "', '" to be an object'],
  // graphql-js 17, of variables.
  ['Expected value of type "', '" to be an object'],
] as const
/** Long enough for the end of a type's name. */
const FILTER_NAME_END = 32

/** Whether a value stands in the place of a field's filter, as Prisma's shorthand `{ name: "x" }` has it. */
export function isFilterShorthand(message: string): boolean {
  return OBJECT_EXPECTED.some(([before, after]) => {
    const start = message.lastIndexOf(before)
    const end = start < 0 ? -1 : message.indexOf(after, start)
    return end >= 0 && /Filter_*$/.test(message.slice(Math.max(start, end - FILTER_NAME_END), end))
  })
}
