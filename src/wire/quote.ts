/**
 * Stage 1, wire. Quoting for the commands that take no parameters (DDL, replication commands).
 * Every name and every literal that reaches SQL passes through here.
 * Source: PostgreSQL manual, "Lexical Structure".
 */
import { RowcastError } from '../errors.ts'

/** Quotes an identifier: `user` → `"user"`, `a"b` → `"a""b"`. */
export function quoteIdentifier(name: string): string {
  return `"${withoutNul(name).replaceAll('"', '""')}"`
}

/** Quotes a schema-qualified name: `"schema"."table"`. */
export function quoteQualified(schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

/** Quotes a string literal; a backslash makes it an escape string, so it means itself in every server setting. */
export function quoteLiteral(text: string): string {
  const doubled = withoutNul(text).replaceAll("'", "''")
  return doubled.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}

/** Quotes a literal of a replication command, whose grammar knows no escapes but the doubled quote. */
export function quoteReplicationLiteral(text: string): string {
  return `'${withoutNul(text).replaceAll("'", "''")}'`
}

function withoutNul(text: string): string {
  if (text.includes('\0')) {
    throw new RowcastError('CONFIG_BAD_NAME', 'A name for PostgreSQL contains a zero byte.')
  }
  return text
}
