/** Beside the spine, cli. Where a running service is: what was said, or where the config lets it listen. */
import type { Config } from '../config/config.ts'
import { RowcastError } from '../errors.ts'
import { addressOf, isWildcard } from '../server/http/listen-on.ts'

/** The address of `--url`; undefined where none was given. @throws CLI_BAD_OPTION */
export function parseServiceUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol)) return text
  throw new RowcastError('CLI_BAD_OPTION', '--url is no address of HTTP.', {
    hint: 'Write it with http:// or https:// in front: --url http://127.0.0.1:4000.',
  })
}

/** Where the config lets it listen, as seen from this machine. */
export function configuredServiceUrl({ host, port }: Pick<Config, 'host' | 'port'>): string {
  return addressOf(isWildcard(host) ? '127.0.0.1' : host, port)
}
