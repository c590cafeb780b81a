/** Stage 1, wire. What is wrong with the certificate that a server shows, by Node's code for it, in the words of errors. */

/** One fault. */
export interface TlsFault {
  /** Behind the name of the server. */
  readonly happened: string
  /** What to do about it; absent where that depends on who connects. */
  readonly hint?: string | undefined
}

const UNTRUSTED: TlsFault = { happened: 'shows a certificate that is not trusted here' }

const FAULTS: Readonly<Record<string, TlsFault>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_HAS_EXPIRED: {
    happened: 'shows a certificate that has expired',
    hint: 'Renew the certificate of the server, and look at the clock of this machine.',
  },
  CERT_NOT_YET_VALID: {
    happened: 'shows a certificate that is not valid yet',
    hint: 'Look at the clock of this machine, and at the dates of the certificate.',
  },
  CERT_REVOKED: {
    happened: 'shows a certificate that its authority has revoked',
    hint: 'Give the server a new certificate.',
  },
}

/** The fault with this code; null: it is another. @param variable what has the address of the server */
export function tlsFaultOf(code: string, variable: 'DATABASE_URL' | 'REDIS_URL'): TlsFault | null {
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID') return FAULTS[code] ?? null
  return {
    happened: 'shows a certificate of another host',
    hint: `Write the host in ${variable} as the certificate names it, or give the server a certificate with that name.`,
  }
}
