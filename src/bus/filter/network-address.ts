/** Stage 6, bus. Text forms of one network address, brought to one. */

/** Eight groups of which two are an IPv4 address, and a prefix length: INET6_ADDRSTRLEN, and four characters. */
const ADDRESS_LENGTH_MAX = 50

const ADDRESS = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i

/** Address and prefix length in one canonical form; undefined when the text is no address. */
export function parseAddress(text: string): string | undefined {
  if (text.length > ADDRESS_LENGTH_MAX) return undefined
  const [, address = '', prefix] = ADDRESS.exec(text) ?? []
  const isVersion6 = address.includes(':')
  const bytes = isVersion6 ? parseVersion6(address) : parseVersion4(address)
  const bits = isVersion6 ? 128 : 32
  const length = prefix === undefined ? bits : Number(prefix)
  return bytes === undefined || length > bits ? undefined : `${bytes.join('.')}/${length}`
}

function parseVersion4(text: string): readonly number[] | undefined {
  const parts = text.split('.')
  const isAddress = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)
  return isAddress ? parts.map(Number) : undefined
}

function parseVersion6(text: string): readonly number[] | undefined {
  const halves = text.split('::')
  const [head, tail] = halves.map(parseGroups)
  if (head === undefined || halves.length > 2) return undefined
  if (halves.length === 1) return head.length === 16 ? head : undefined
  if (tail === undefined || head.length + tail.length > 14) return undefined
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail]
}

/** Bytes of `1:2:3`, whose last group may be an IPv4 address. */
function parseGroups(text: string): readonly number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    const isLast = index === groups.length - 1
    const version4 = isLast && group.includes('.') ? parseVersion4(group) : undefined
    if (version4 !== undefined) bytes.push(...version4)
    else if (/^[0-9a-f]{1,4}$/i.test(group))
      bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255)
    else return undefined
  }
  return bytes
}
