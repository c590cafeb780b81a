/** One client, one address: whatever spelling it comes in, and however many addresses its network has. */
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  clientAddress,
  createConnectionCounter,
  normalizeAddress,
} from '../../src/server/limits/client-address.ts'

test.each([
  ['1.2.3.4', '1.2.3.4'],
  ['1.2.3.4:5678', '1.2.3.4'],
  ['::ffff:1.2.3.4', '1.2.3.4'],
  ['::FFFF:102:304', '1.2.3.4'],
  ['0:0:0:0:0:ffff:1.2.3.4', '1.2.3.4'],
  ['[::ffff:1.2.3.4]:99', '1.2.3.4'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['[2001:db8::1]:5678', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::1', '::1'],
  ['::', '::'],
  ['unknown', null],
  ['', null],
  ['1.2.3', null],
  ['1.2.3.4.5', null],
  ['[', null],
  ['_hidden:8', null],
])('%s is %s', (given, expected) => expect(normalizeAddress(given)).toBe(expected))

test('all spellings of an address are one', () => {
  const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(groups, fc.boolean(), (numbers, isUpper) => {
      const long = numbers.map((number) => number.toString(16).padStart(4, '0')).join(':')
      const spelling = isUpper ? long.toUpperCase() : long
      const short = new URL(`http://[${long}]`).hostname.slice(1, -1)
      expect(normalizeAddress(spelling)).toBe(normalizeAddress(short))
      expect(normalizeAddress(`[${spelling}]:80`)).toBe(normalizeAddress(short))
    }),
  )
})

function request(remoteAddress: string, forwarded?: string): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress })
  const message = new IncomingMessage(socket)
  if (forwarded !== undefined) message.headers['x-forwarded-for'] = forwarded
  return message
}

test('of X-Forwarded-For the entry counts that the outermost proxy wrote, if it is an address', () => {
  const hops = '9.9.9.9, 203.0.113.7:1234, 10.0.0.2'
  expect(clientAddress(request('::ffff:10.0.0.1', hops), 0)).toBe('10.0.0.1')
  expect(clientAddress(request('10.0.0.1', hops), 2)).toBe('203.0.113.7')
  expect(clientAddress(request('10.0.0.1', hops), 4)).toBe('10.0.0.1')
  expect(clientAddress(request('10.0.0.1', 'unknown'), 1)).toBe('10.0.0.1')
  expect(clientAddress(request('10.0.0.1'), 1)).toBe('10.0.0.1')
})

describe('connections of an address', () => {
  const counterOf = (ipv6PrefixLength: number) =>
    createConnectionCounter({ connectionsPerAddressMax: 1, ipv6PrefixLength })
  const isFree = (first: string, second: string, prefix = 64): boolean => {
    const counter = counterOf(prefix)
    counter.acquire(first)
    return counter.acquire(second) !== null
  }

  test('count by network in IPv6, by address in IPv4', () => {
    expect(isFree('2001:db8:0:1::1', '2001:db8:0:1:ffff::2')).toBe(false)
    expect(isFree('2001:db8:0:1::1', '2001:db8:0:2::1')).toBe(true)
    expect(isFree('2001:db8:0:1::1', '2001:db8:0:2::1', 48)).toBe(false)
    expect(isFree('2001:db8:0:1::1', '2001:db8:0:1::2', 128)).toBe(true)
    expect(isFree('2001:db8:0:10::1', '2001:db8:0:1f::1', 60)).toBe(false)
    expect(isFree('2001:db8:0:10::1', '2001:db8:0:20::1', 60)).toBe(true)
    expect(isFree('203.0.113.1', '203.0.113.2')).toBe(true)
    expect(isFree('203.0.113.1', '203.0.113.1')).toBe(false)
  })

  test('are given back once, and are not counted on loopback', () => {
    const counter = counterOf(64)
    const release = counter.acquire('203.0.113.1')
    release?.()
    release?.()
    expect(counter.acquire('203.0.113.1')).not.toBeNull()
    expect(counter.acquire('203.0.113.1')).toBeNull()
    for (const address of ['127.0.0.1', '127.9.9.9', '::1'])
      for (let i = 0; i < 3; i += 1) expect(counter.acquire(address)).not.toBeNull()
    expect(counter.acquire('127.example')).not.toBeNull()
    expect(counter.acquire('127.example')).toBeNull()
  })
})
