import { Decimal } from '@prisma/client/runtime/client'
import fc from 'fast-check'
import { type GraphQLScalarType, parseValue } from 'graphql'
import { describe, expect, it } from 'vitest'
import {
  BigIntScalar,
  BytesScalar,
  DateScalar,
  DateTimeScalar,
  DecimalScalar,
  JsonScalar,
  TimeScalar,
} from '../../src/graphql/scalars.ts'

/** Lists within each other. */
function nested(depth: number): unknown {
  return JSON.parse('['.repeat(depth) + ']'.repeat(depth))
}

/** A value through `serialize`, JSON and `parseValue`: what a client that hands it back does. */
function roundTrip(scalar: GraphQLScalarType, value: unknown): unknown {
  return scalar.parseValue(JSON.parse(JSON.stringify(scalar.serialize(value))))
}

function literal(scalar: GraphQLScalarType, text: string): unknown {
  return scalar.parseLiteral(parseValue(text))
}

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }

describe('scalars lose nothing', () => {
  it('BigInt over all 64 bits', () => {
    fc.assert(fc.property(fc.bigInt(INT64), (value) => roundTrip(BigIntScalar, value) === value))
    fc.assert(fc.property(fc.bigInt(INT64), (value) => literal(BigIntScalar, String(value)) === value))
  })

  it('Decimal, as Prisma has it, without exponents', () => {
    const digits = fc.stringMatching(/^-?[1-9]\d{0,40}(\.\d{0,40}[1-9])?$/)
    fc.assert(
      fc.property(digits, (text) => {
        const sent = DecimalScalar.serialize(new Decimal(text))
        expect(sent).toBe(text)
        expect(DecimalScalar.parseValue(sent)).toBe(text)
      }),
    )
    expect(DecimalScalar.serialize(new Decimal('1e-12'))).toBe('0.000000000001')
  })

  it('DateTime to the millisecond', () => {
    const dates = fc.date({
      min: new Date(0),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(dates, (date) => {
        expect(roundTrip(DateTimeScalar, date)).toEqual(date)
      }),
    )
  })

  it('Bytes, also as a window on a larger buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(roundTrip(BytesScalar, bytes)).toEqual(new Uint8Array(bytes))
      }),
    )
    const window = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
    expect(BytesScalar.serialize(window)).toBe('AgM=')
  })

  it('JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(roundTrip(JsonScalar, value)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
    expect(literal(JsonScalar, '{ a: [1, "two", null, true] }')).toEqual({ a: [1, 'two', null, true] })
  })
})

describe('scalars refuse what they cannot mean', () => {
  it.each(['9007199254740993', '{ a: [5.00000000000000000001] }', '1e400'])(
    'JSON: %s, another number',
    (text) => {
      expect(() => literal(JsonScalar, text)).toThrow('JSON takes numbers that JavaScript holds exactly')
    },
  )

  it.each([
    [BigIntScalar, '1.5'],
    [BigIntScalar, '9223372036854775808'],
    [BigIntScalar, 2 ** 53],
    [BigIntScalar, true],
    [DecimalScalar, 'NaN'],
    [DecimalScalar, '1,5'],
    [DecimalScalar, 0.12345678901234568],
    [DateTimeScalar, '2026-02-30T00:00:00Z'],
    [DateTimeScalar, '2026-13-01T00:00:00Z'],
    [DateTimeScalar, '2026-11-23T08:15:30'],
    [DateTimeScalar, '2026-11-23'],
    [DateTimeScalar, 0],
    [BytesScalar, 'AgM'],
    [BytesScalar, 'Ag-='],
  ])('%s %j', (scalar, value) => {
    expect(() => (scalar as GraphQLScalarType).parseValue(value)).toThrow(`${scalar.name} takes`)
  })

  it('never repeats the value it refuses', () => {
    expect(() => BigIntScalar.parseValue('secret')).toThrow(/^(?!.*secret)/)
  })

  it('takes literals of the right kind only', () => {
    expect(() => literal(BigIntScalar, 'true')).toThrow('BigInt cannot be written as BooleanValue')
    expect(() => literal(DateTimeScalar, '2026')).toThrow('DateTime cannot be written as IntValue')
    expect(literal(DecimalScalar, '0.1000')).toBe('0.1000')
    expect(literal(BytesScalar, '"AgM="')).toEqual(new Uint8Array([2, 3]))
  })

  it('does not send what is not of its type', () => {
    const refusal = expect.objectContaining({
      message: expect.stringMatching(/^The value of a \w+ field cannot be shown \([\w-]+\)\.$/),
      extensions: expect.objectContaining({ code: 'GRAPHQL_VALUE_UNREPRESENTABLE' }),
    })
    expect(() => DateTimeScalar.serialize('2026-11-23T08:15:30Z')).toThrow(refusal)
    expect(() => DateTimeScalar.serialize(new Date(Number.NaN))).toThrow(refusal)
    expect(() => BytesScalar.serialize('AgM=')).toThrow(refusal)
    expect(() => BigIntScalar.serialize('secret')).toThrow(refusal)
    expect(() => JsonScalar.serialize(nested(1_001))).toThrow(refusal)
    expect(JSON.stringify(JsonScalar.serialize(nested(1_000)))).toHaveLength(2_000)
  })
})

describe('days and times of day', () => {
  it('are text without a zone, both ways', () => {
    const day = new Date('2026-11-23T00:00:00Z')
    expect(DateScalar.serialize(day)).toBe('2026-11-23')
    expect(DateScalar.parseValue('2026-11-23')).toEqual(day)
    expect(DateScalar.serialize(new Date('0001-01-01T00:00:00Z'))).toBe('0001-01-01')
    const time = new Date('1970-01-01T08:15:30.123Z')
    expect(TimeScalar.serialize(time)).toBe('08:15:30.123')
    expect(TimeScalar.parseValue('08:15:30.123')).toEqual(time)
    expect(TimeScalar.parseValue('08:15:30')).toEqual(new Date('1970-01-01T08:15:30Z'))
    expect(TimeScalar.serialize(TimeScalar.parseValue('24:00:00'))).toBe('24:00:00.000')
  })

  it.each(['2026-02-29', '2026-11-23T00:00:00Z', '23.11.2026', '2026-13-01', 20_261_123])(
    'are not %s as a Date',
    (value) => {
      expect(() => DateScalar.parseValue(value)).toThrow('Date takes')
    },
  )

  it.each(['8:15', '08:15:60', '24:00:01', '08:15:30Z', '08:15:30+02:00', 8])(
    'are not %s as a Time',
    (value) => {
      expect(() => TimeScalar.parseValue(value)).toThrow('Time takes')
    },
  )
})
