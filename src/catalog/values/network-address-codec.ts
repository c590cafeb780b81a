/**
 * Stage 3, catalog. inet and cidr from their binary form, printed as PostgreSQL's inet_net_ntop.c prints them.
 *
 *     0  Byte1  family         2: IPv4, 3: IPv6
 *     1  Byte1  bits           of the netmask
 *     2  Byte1  is it a cidr?  1 or 0
 *     3  Byte1  bytes of the address that follow
 *     4  Byten  the address
 */
import { readUint16 } from '../../pgoutput/big-endian.ts'
import type { ValueCodec } from './value-codec.ts'

const FAMILY_IPV4 = 2

function formatIpv4(buffer: Buffer, at: number): string {
  return `${buffer[at]}.${buffer[at + 1]}.${buffer[at + 2]}.${buffer[at + 3]}`
}

/** The first of the longest runs of two or more zero words. */
function findZeroRun(words: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 1 }
  for (let start = 0; start < words.length; start++) {
    let length = 0
    while (words[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best.start === -1 ? { start: -1, length: 0 } : best
}

function formatIpv6(buffer: Buffer, at: number): string {
  const words = Array.from({ length: 8 }, (_, index) => readUint16(buffer, at + 2 * index))
  const run = findZeroRun(words)
  const isMapped = run.length === 5 && words[5] === 0xffff
  if (run.start === 0 && (run.length === 6 || isMapped))
    return `::${isMapped ? 'ffff:' : ''}${formatIpv4(buffer, at + 12)}`
  const hex = words.map((word) => word.toString(16))
  if (run.start === -1) return hex.join(':')
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`
}

/** inet and cidr: the mask is printed where it does not cover the whole address, and always for cidr. */
export const networkAddressCodec: ValueCodec = {
  parse: (text) => text,
  decode(buffer, start) {
    const isIpv4 = buffer[start] === FAMILY_IPV4
    const bits = buffer[start + 1]
    const isCidr = buffer[start + 2] === 1
    const address = isIpv4 ? formatIpv4(buffer, start + 4) : formatIpv6(buffer, start + 4)
    return isCidr || bits !== (isIpv4 ? 32 : 128) ? `${address}/${bits}` : address
  },
  sameness: null,
  byteLength: null,
}
