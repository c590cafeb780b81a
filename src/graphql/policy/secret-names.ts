/**
 * Stage 7, graphql. Which names look like those of secrets, judged by the words of a field and of its model. Measured on
 * names of real applications in test/graphql/policy/secret-names.test.ts; what is unclear counts as a secret.
 */

/** Words that name a secret wherever they stand; in other languages, too. */
const SECRET_WORDS = wordSet(`
  password passwords passwd pwd passphrase passcode secret secrets token tokens credential credentials salt otp totp hotp
  cvv cvc ssn jwt jwk jwks bearer mnemonic ciphertext encrypted csrf xsrf dsn keystore creds dek kek psk pepper
  passwort kennwort senha contrasena wachtwoord haslo parola losenord`)

/** The same as the end of a word that was written in one: `accesstoken`, `clientsecret`. */
const SECRET_ENDINGS =
  /(?:password|passwd|passphrase|secret|token|apikey|privatekey|privkey|secretkey|accesskey)s?$/
/** And as its beginning: `passwordhash`. */
const SECRET_BEGINNINGS = /^(?:password|passwd|apikey|privatekey|secretkey)(?:hash|digest|enc)/

/** Words that do, one after the other. */
const SECRET_PAIRS = pairSet(`
  api|private|priv|access|signing|encryption|license|licence|service|account|stream|master|shared|preshared|ssh|session|hmac|webhook key
  aes|rsa|tls|ssl|pgp|gpg|auth key, openai|ai|anthropic|stripe|sendgrid|mailgun|twilio|resend|postmark key|keys
  activation|reset|confirmation|invite key, session string|hash, key material
  reset|invite|invitation|magic|login|activation|confirmation link, wallet|server|master|otp|totp seed
  backup|recovery|verification|confirmation|auth|authorization|reset|login|access|sms|invite|invitation|join|security|verify|unlock code|codes
  scratch|time|pass|mfa|activation|device|pin code|codes
  enc|cert|certificate key, cert|certificate private, salted hash, code verifier, auth challenge, security answer, srp verifier, recovery|seed|mnemonic phrase|words, door|gate|lock code, card number, magic link
  auth config|data, pass|pw|invite hash, remember|reset|activation digest`)

/** Addresses that have a password in them, or the secret that codes are made of (`otpauth://…?secret=`). */
const SECRET_ADDRESSES = pairSet(
  'connection string|url|uri, database|db|redis|mongo|mongodb|postgres|postgresql|mysql|amqp url|uri, otp|totp|hotp|otpauth url|uri, reset|invite|invitation|magic|activation url|uri',
)

/** Words that name a secret where the name is nothing else: a `sessionId` is none, a `session` may be what a browser shows. */
const LONE_WORDS = wordSet('session sid sess seed pass pw auth')
/** Words that do at the end of a name. */
const LAST_WORDS = wordSet('pin pw pass cookie cookies authorization')
/** Passes that somebody buys or shows. */
const TICKET_PAIRS = pairSet(
  'boarding|season|day|week|month|year|annual|event|ski|gym|bus|train|travel|visitor|guest|hall|backstage pass',
)

/** Last words that make a name one of something beside the secret: `tokenType`, `secretName`, `accessKeyId`. */
const ABOUT_WORDS = wordSet(`
  id ids uuid kid type kind count usage limit limits quota name label title description scope scopes method algorithm algo alg length
  size version status provider issuer url uri path endpoint expiry expires expiration at on date by ttl ip policy strategy
  format provisioning address symbol price amount balance decimals contract standard index reference ref prefix suffix start
  required enabled mode role level parameters note notes device`)

/** Secrets of which no part is for showing; a key or a token has a first or a last part that names it in lists. */
const WHOLE_SECRETS = wordSet(`
  password passwords passwd pwd passphrase passcode passwort kennwort senha contrasena wachtwoord haslo parola losenord`)

/** Words that say that what is left of a secret may be seen, or that it never was one. */
const OPEN_WORDS = wordSet('public publishable partial display masked obfuscated redacted last4')
/** Of these, the ones that say so of a part, or of a use. */
const PARTLY_OPEN_WORDS = wordSet('partial display last4')
/** The same as the last word: a `previewToken` is what previews are opened with. */
const OPEN_ENDINGS = wordSet('preview')
const OPEN_PAIRS = pairSet('page|sync|continuation|design token')

/** Words of models that are about secrets. */
const SECRET_MODELS = wordSet(`
  password passwords secret secrets credential credentials token tokens otp totp mfa 2fa passkey verification verifications
  authenticator jwks jwk`)
const SECRET_MODEL_PAIRS = pairSet(`
  api|access|private|signing|encryption|ssh|license|service key|keys
  backup|recovery|authorization|auth|invite|invitation|login|reset|confirmation|access|security|device code|codes
  two factor, magic link|links, environment|env variable|variables|var`)
/** Words that name the secret of such a model. */
const OF_SECRET_MODEL = wordSet('hash hashed digest code codes value pin verifier pem')
/** Words of what hides behind a hash. */
const HASHED_WORDS = wordSet('key keys code codes pin pass pw rt refresh session')

/** A field's name, and its model's. */
export interface FieldName {
  readonly name: string
  readonly model?: string | undefined
}

/** Whether the name looks like that of a secret. */
export function isSecretName({ name, model = '' }: FieldName): boolean {
  const words = wordsOf(name)
  const last = words.at(-1) ?? ''
  if (pairsOf(words).some((pair) => SECRET_ADDRESSES.has(pair))) return true
  const isWhole = words.some((word) => WHOLE_SECRETS.has(word))
  const isOpen =
    OPEN_ENDINGS.has(last) ||
    words.some((word) => OPEN_WORDS.has(word) && !(isWhole && PARTLY_OPEN_WORDS.has(word)))
  if (words.length > 1 && (ABOUT_WORDS.has(last) || isOpen)) return false
  if (pairsOf(words).some((pair) => OPEN_PAIRS.has(pair) || TICKET_PAIRS.has(pair))) return false
  return namesSecret(words, last) || isOfSecretModel(words, wordsOf(model))
}

function namesSecret(words: readonly string[], last: string): boolean {
  if (words.some((word) => SECRET_WORDS.has(word) || isWrittenInOne(word))) return true
  if (pairsOf(words).some((pair) => SECRET_PAIRS.has(pair))) return true
  if (LAST_WORDS.has(last) || (words.length === 1 && LONE_WORDS.has(last))) return true
  const isHash = words.includes('hash') || words.includes('hashed') || words.includes('digest')
  if (isHash && words.some((word) => HASHED_WORDS.has(word))) return true
  if (words.includes('private') && (last === 'key' || last === 'keys' || last === 'pem')) return true
  const isOfSecondFactor = words.includes('mfa') || pairsOf(words).some((pair) => SECOND_FACTOR.has(pair))
  return isOfSecondFactor && (last === 'code' || last === 'codes')
}

const SECOND_FACTOR = pairSet('two factor|fa')

function isWrittenInOne(word: string): boolean {
  return SECRET_ENDINGS.test(word) || SECRET_BEGINNINGS.test(word)
}

function isOfSecretModel(words: readonly string[], model: readonly string[]): boolean {
  const pairs = pairsOf(model)
  const isKey = pairs.some((pair) => /^(?:api|access|private|ssh|license|service) keys?$/.test(pair))
  const isCredential = model.includes('credential') || model.includes('credentials')
  const isOneOf = (names: RegExp) => words.length === 1 && names.test(words[0] ?? '')
  if ((isKey && isOneOf(/^keys?$/)) || (isCredential && isOneOf(/^(?:keys?|data|value|payload)$/)))
    return true
  const isSecret =
    model.some((word) => SECRET_MODELS.has(word) || isWrittenInOne(word)) ||
    pairs.some((pair) => SECRET_MODEL_PAIRS.has(pair))
  if (!isSecret || words.includes('content')) return false
  return isOneOf(/^sign(?:ature)?$/) || words.some((word) => OF_SECRET_MODEL.has(word))
}

/** `resetToken`, `RESET_TOKEN`, `HTTPToken2`, `2faCode` → reset token, reset token, http token 2, 2fa code. */
export function wordsOf(name: string): readonly string[] {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/oauth/gi, 'auth')
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .replace(/([A-Za-z])(\d)/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
}

function pairsOf(words: readonly string[]): readonly string[] {
  return words.slice(1).map((word, index) => `${words[index]} ${word}`)
}

/** `a|b c|d, e f` → a c, a d, b c, b d, e f. */
function pairSet(text: string): ReadonlySet<string> {
  const pairs = text
    .trim()
    .split(/[,\n]/)
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => each.split(' ').map((word) => word.split('|')))
  return new Set(
    pairs.flatMap(([firsts = [], seconds = []]) => firsts.flatMap((a) => seconds.map((b) => `${a} ${b}`))),
  )
}

function wordSet(words: string): ReadonlySet<string> {
  return new Set(words.trim().split(/\s+/))
}
