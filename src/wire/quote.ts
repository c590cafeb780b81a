/**
 * Stage 1, wire. Quoting for the commands that take no parameters (DDL, replication commands).
 * Every name and every literal that reaches SQL passes through here.
 * Source: PostgreSQL manual, "Lexical Structure".
 */
import { RowcastError } from '../errors.ts'
import { CONTROLS, escapeControls, hasControls } from '../printable.ts'

/**
 * Quotes an identifier: `user` → `"user"`, `a"b` → `"a""b"`. One with control characters is written with Unicode
 * escapes, `U&"a\000ab"`, so that a statement stays one line wherever it is printed.
 */
export function quoteIdentifier(name: string): string {
  if (!hasControls(withoutNul(name))) return quoteListedName(name)
  const escaped = name
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '""')
    .replace(CONTROLS, (control) => `\\${hexOf(control)}`)
  return `U&"${escaped}"`
}

/** Quotes a name in a list that the output plugin reads itself: it knows no escapes but the doubled quote. */
export function quoteListedName(name: string): string {
  return `"${withoutNul(name).replaceAll('"', '""')}"`
}

/** Quotes a schema-qualified name: `"schema"."table"`. */
export function quoteQualified(schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

/**
 * Quotes a string literal. A backslash or a control character makes it an escape string, so that it means itself in
 * every server setting and stays on its line.
 */
export function quoteLiteral(text: string): string {
  const doubled = withoutNul(text).replaceAll("'", "''")
  if (!doubled.includes('\\') && !hasControls(doubled)) return `'${doubled}'`
  const escaped = doubled.replaceAll('\\', '\\\\').replace(CONTROLS, (control) => `\\u${hexOf(control)}`)
  return ` E'${escaped}'`
}

/** A line of an SQL comment. Nothing in the text ends it: what follows a line break would be run, `\! …` by psql as well. */
export function sqlComment(text: string): string {
  return `-- ${escapeControls(text)}`
}

/** Quotes a literal of a replication command, whose grammar knows no escapes but the doubled quote. */
export function quoteReplicationLiteral(text: string): string {
  return `'${withoutNul(text).replaceAll("'", "''")}'`
}

/** PostgreSQL's escapes take four digits; no control character needs more. */
function hexOf(control: string): string {
  return control.charCodeAt(0).toString(16).padStart(4, '0')
}

function withoutNul(text: string): string {
  if (text.includes('\0')) {
    throw new RowcastError('CONFIG_BAD_NAME', 'A name for PostgreSQL contains a zero byte.')
  }
  return text
}
