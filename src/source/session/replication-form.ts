/**
 * Stage 5, source. In which form PostgreSQL is asked for values. Binary is the faster one, and UTF-8 the form that is
 * understood; where PostgreSQL cannot send a value so, the stream goes on in a form in which it can. Pure.
 */
import { quoteListedName } from '../../wire/quote.ts'
import { sqlstateOf } from '../db/sqlstate.ts'

/** The form of a stream, all its tables alike: pgoutput has no finer choice. */
export interface StreamForm {
  /** In binary form, as far as the types have one. */
  readonly isBinary: boolean
  /** In the encoding of the database, whatever is in it: of a SQL_ASCII database nothing can be converted. */
  readonly isRaw: boolean
}

/** A type without a send function. */
const UNDEFINED_FUNCTION = '42883'
/** Bytes that are no text in the encoding asked for, and characters that it does not have. */
const ENCODING_FAULTS: ReadonlySet<string> = new Set(['22021', '22P05'])

/** The form to try next after an error of a stream; null when another form does not help. */
export function nextForm(form: StreamForm, error: unknown): StreamForm | null {
  const sqlstate = sqlstateOf(error)
  if (sqlstate === UNDEFINED_FUNCTION && form.isBinary) return { ...form, isBinary: false }
  if (sqlstate !== null && ENCODING_FAULTS.has(sqlstate) && !form.isRaw) return { ...form, isRaw: true }
  return null
}

/** Before a raw stream: text of a SQL_ASCII database comes as it is. Of all other encodings there is a conversion. */
export const RAW_TEXT_SQL = `SELECT pg_catalog.set_config('client_encoding',
  CASE pg_catalog.current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, false)`

/** pgoutput's options. Source: manual, "Logical Streaming Replication Parameters". */
export function pluginOptions(
  publication: string,
  { isBinary }: StreamForm,
): Readonly<Record<string, string>> {
  const options: Record<string, string> = {
    proto_version: '1',
    publication_names: quoteListedName(publication),
    messages: 'true',
  }
  if (isBinary) options['binary'] = 'true'
  return options
}
