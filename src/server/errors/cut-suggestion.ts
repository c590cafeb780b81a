/** Stage 8, server. Takes the names that graphql-js suggests out of its messages. */

const OPENING = 'Did you mean '

/**
 * The message without `Did you mean "name"?`, up to the last question mark: graphql-js ends its messages with it, in
 * validation and in reading variables. Messages quote what the client sent, so the time is linear in their length.
 */
export function cutSuggestion(message: string): string {
  const start = message.indexOf(OPENING)
  const end = message.lastIndexOf('?') + 1
  if (start < 0 || end < start + OPENING.length) return message
  const kept = message[start - 1] === ' ' ? start - 1 : start
  return message.slice(0, kept) + message.slice(end)
}
