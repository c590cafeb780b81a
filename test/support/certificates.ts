/** A certificate authority of the test's own, made by openssl: certificates for hosts and users, of any dates, and lists of the revoked ones. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Whether certificates can be made; says so where not. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' })
    return true
  } catch {
    process.stdout.write('Skipped: there is no openssl to make certificates with.\n')
    return false
  }
}

/** Whom a certificate names, and when it is valid. */
export interface CertificateRequest {
  readonly commonName: string
  /** As openssl writes subjectAltName: `DNS:localhost,IP:::1`. */
  readonly names?: string | undefined
  /** @default 2020 */
  readonly start?: string | undefined
  /** @default 2099 */
  readonly end?: string | undefined
}

/** An authority in a folder. */
export interface TestAuthority {
  /** Path of its own certificate. */
  readonly root: string
  file(name: string): string
  /** Writes `<name>.pem` and `<name>.key`. */
  issue(name: string, request: CertificateRequest): void
  /** Revokes certificates, and writes `crl.pem` with all that are. @returns its path */
  revoke(...names: readonly string[]): string
}

const CONFIG = `[ca]
default_ca=own
[own]
database=index
new_certs_dir=.
serial=serial
crlnumber=crlnumber
certificate=ca.pem
private_key=ca.key
default_md=sha256
default_crl_days=30
unique_subject=no
copy_extensions=copy
policy=any
[any]
commonName=supplied
`
const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Creates one. */
export function createAuthority(folder: string): TestAuthority {
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  writeFileSync(file('ca.cnf'), CONFIG)
  writeFileSync(file('index'), '')
  for (const name of ['serial', 'crlnumber']) writeFileSync(file(name), '01\n')
  openssl(
    'req',
    '-x509',
    ...EC_KEY,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '3650',
    '-subj',
    '/CN=test authority',
  )
  return {
    root: file('ca.pem'),
    file,
    issue(name, { commonName, names, start = '20200101000000Z', end = '20990101000000Z' }) {
      const more = names === undefined ? [] : ['-addext', `subjectAltName=${names}`]
      openssl(
        'req',
        '-new',
        ...EC_KEY,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${commonName}`,
        ...more,
      )
      const dates = ['-startdate', start, '-enddate', end]
      openssl(
        'ca',
        '-batch',
        '-notext',
        '-config',
        'ca.cnf',
        '-in',
        `${name}.csr`,
        '-out',
        `${name}.pem`,
        ...dates,
      )
    },
    revoke(...names) {
      for (const name of names) openssl('ca', '-config', 'ca.cnf', '-revoke', `${name}.pem`)
      openssl('ca', '-config', 'ca.cnf', '-gencrl', '-out', 'crl.pem')
      return file('crl.pem')
    },
  }
}
