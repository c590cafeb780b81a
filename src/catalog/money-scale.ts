/**
 * Stage 3, catalog. How many digits money has after the point: lc_monetary of the database says, and no message of
 * pgoutput does. Who has asked the server puts it into the stream as one more Type message, which names money with its
 * scale and goes wherever the others go.
 */
import { Buffer } from 'node:buffer'
import { MONEY_SCALE_DEFAULT } from './values/decimal-codecs.ts'

/** OID of money. */
export const MONEY_OID = 790

const PREFIX = 'money('

/** The Type message: Byte1('Y'), Int32 OID, String namespace (empty for pg_catalog), String name; null for the usual scale. */
export function moneyScaleMessage(scale: number): Buffer | null {
  if (scale === MONEY_SCALE_DEFAULT) return null
  const head = Buffer.alloc(5)
  head.write('Y', 'latin1')
  head.writeUInt32BE(MONEY_OID, 1)
  return Buffer.concat([head, Buffer.from(`\0${PREFIX}${scale})\0`, 'latin1')])
}

/** What the types of a stream say of it; 2 where they do not. */
export function moneyScaleOf(types: ReadonlyMap<number, { readonly name: string }>): number {
  const name = types.get(MONEY_OID)?.name
  return name?.startsWith(PREFIX) === true ? Number(name.slice(PREFIX.length, -1)) : MONEY_SCALE_DEFAULT
}
