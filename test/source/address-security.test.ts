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

  it('is read to the end, whatever stands in between', () => {
    const target = parseConnectionTarget(
      addressWith('application_name=why?&channel_binding=require&schema=shop'),
    )
    expect(target).toMatchObject({ channelBinding: 'require', schema: 'shop' })
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
    'options=-c%20rowcast.a=?&require_auth=scram-sha-256',
    'ssl_min_protocol_version=TLSv1.3',
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

  it.each(['gssencmode=prefer', 'ssl_min_protocol_version=TLSv1.2', 'ssl_min_protocol_version=tlsv1'])(
    '%s asks for nothing that is not given',
    (parameters) => {
      expect(parseConnectionTarget(addressWith(parameters)).host).toBe('db.example.com')
    },
  )

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
