import { describe, expect, it } from 'vitest'
import {
  quoteIdentifier,
  quoteListedName,
  quoteLiteral,
  quoteQualified,
  quoteReplicationLiteral,
} from '../../src/wire/quote.ts'

describe('quoting', () => {
  it('quotes identifiers, whatever is in them', () => {
    expect(quoteIdentifier('User')).toBe('"User"')
    expect(quoteIdentifier('a"; DROP TABLE x; --')).toBe('"a""; DROP TABLE x; --"')
    expect(quoteQualified('my schema', 'tableé')).toBe('"my schema"."tableé"')
  })

  it('quotes literals, backslashes included', () => {
    expect(quoteLiteral("it's")).toBe("'it''s'")
    expect(quoteLiteral("\\'; DROP")).toBe(" E'\\\\''; DROP'")
    expect(quoteReplicationLiteral("a'b\\")).toBe("'a''b\\'")
  })

  it('writes control characters as escapes, so that a statement stays on its line', () => {
    expect(quoteIdentifier('a\nb"\\')).toBe('U&"a\\000ab""\\\\"')
    expect(quoteQualified('public', 'a\u202eb')).toBe('"public".U&"a\\202eb"')
    expect(quoteLiteral("a\tb'")).toBe(" E'a\\u0009b'''")
    expect(quoteListedName('a\nb')).toBe('"a\nb"')
  })

  it('refuses a zero byte, which would end the text early', () => {
    expect(() => quoteIdentifier('a\0b')).toThrow(/CONFIG_BAD_NAME/)
    expect(() => quoteLiteral('a\0b')).toThrow(/CONFIG_BAD_NAME/)
  })
})
