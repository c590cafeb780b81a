/** Protections that an address asks for: given, or the address is refused; never passed over. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readAddressSecurity } from '../../src/source/db/address-security.ts'
import { connectionTargetFromPrisma, parseConnectionTarget } from '../../src/source/db/database-address.ts'

const addressWith = (parameters: string) => `postgresql://ada:hunter2@db.example.com/app?${parameters}`

describe('what an address asks for', () => {
  it.each(['disable', 'prefer', 'require'] as const)('channel_binding=%s is kept', (binding) => {
    expect(parseConnectionTarget(addressWith(`channel_binding=${binding}`)).channelBinding).toBe(binding)
  })

  it('nothing about it is the driver’s default; PGCHANNELBINDING counts, and the address before it', () => {
    expect(parseConnectionTarget(addressWith('schema=shop')).channelBinding).toBeUndefined()
    const env = { PGCHANNELBINDING: 'require' }
    expect(readAddressSecurity(null, env)).toMatchObject({ channelBinding: 'require' })
    expect(readAddressSecurity(addressWith('channel_binding=disable'), env)).toMatchObject({
      channelBinding: 'disable',
    })
  })

  it('an adapter’s enableChannelBinding is taken over, and its address counts before it', () => {
    const prismaWith = (config: object) => ({
      _engineConfig: { adapter: { adapterName: '@prisma/adapter-pg', config } },
    })
    const plain = { host: 'db.example.com', user: 'ada', enableChannelBinding: true }
    expect(connectionTargetFromPrisma(prismaWith(plain))?.channelBinding).toBe('prefer')
    const both = { connectionString: addressWith('channel_binding=require'), enableChannelBinding: true }
    expect(connectionTargetFromPrisma(prismaWith(both))?.channelBinding).toBe('require')
  })

  it.each([
    'channel_binding=required',
    'require_auth=scram-sha-256',
    'requirepeer=postgres',
    'sslcrldir=/etc/crl',
    'gssencmode=require',
    'sslmode=verify-full&sslcrl=/no/such/file',
  ])('%s is refused, and the password stays out of it', (parameters) => {
    let refusal: unknown
    try {
      parseConnectionTarget(addressWith(parameters))
    } catch (error) {
      refusal = error
    }
    expect(refusal).toMatchObject({ code: 'CONFIG_BAD_DATABASE_URL' })
    expect(String(refusal)).not.toContain('hunter2')
  })

  it('gssencmode=prefer asks for nothing', () => {
    expect(parseConnectionTarget(addressWith('gssencmode=prefer')).host).toBe('db.example.com')
  })

  it('sslcrl is read, and goes where the certificates are checked', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rowcast-crl-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'crl.pem')
    writeFileSync(file, 'the list')
    const { ssl } = parseConnectionTarget(addressWith(`sslmode=verify-full&sslcrl=${file}`))
    expect(ssl).toMatchObject({ crl: 'the list' })
    // Without TLS there is nothing to check.
    expect(parseConnectionTarget(addressWith(`sslcrl=${file}`)).ssl).toBe(false)
  })
})
