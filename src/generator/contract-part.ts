/**
 * Beside the spine, generator. One value of a contract.json and the path to it. The file may have been made by another version, edited
 * or broken: nothing of it is taken for what it should be, and what it is not is named by its path. Shapes only, nothing of Prisma.
 */
import { RowcastError } from '../errors.ts'

/** A contract is read whole: a larger file is none. */
export const CONTRACT_BYTES_MAX = 64 * 1024 * 1024
/** PostgreSQL cuts names after 63 bytes; what is longer by far is no name. */
const NAME_LENGTH_MAX = 1_000

/** A value, and where it stands. */
export class ContractPart {
  readonly value: unknown
  /** `storage.namespaces.public`; empty for the whole. */
  readonly path: string

  constructor(value: unknown, path: string) {
    this.value = value
    this.path = path
  }

  /** The member of an object; undefined where it has none of that name. @throws GENERATOR_BAD_CONTRACT where this is no object */
  find(name: string): ContractPart | undefined {
    const members = this.#members()
    const value = Object.hasOwn(members, name) ? members[name] : undefined
    return value === undefined ? undefined : new ContractPart(value, this.#pathOf(name))
  }

  /** The member that has to be there. @throws GENERATOR_BAD_CONTRACT */
  get(name: string): ContractPart {
    const found = this.find(name)
    if (found === undefined) throw badContract(`\`${this.#pathOf(name)}\` is missing.`)
    return found
  }

  /** Members of an object by their names; of one that is not there, none. @throws GENERATOR_BAD_CONTRACT */
  entries(name: string): readonly (readonly [string, ContractPart])[] {
    const object = this.find(name)
    if (object === undefined) return []
    return Object.entries(object.#members()).map(([key, value]) => {
      if (key.length > NAME_LENGTH_MAX)
        throw badContract(`\`${object.path}\` has a name of ${key.length} characters.`)
      return [key, new ContractPart(value, object.#pathOf(key))]
    })
  }

  /** Elements of the list; of one that is not there, none. @throws GENERATOR_BAD_CONTRACT */
  items(name: string): readonly ContractPart[] {
    const list = this.find(name)
    if (list === undefined) return []
    if (!Array.isArray(list.value)) throw badContract(`\`${list.path}\` is not a list.`)
    return list.value.map((value, index) => new ContractPart(value, `${list.path}[${index}]`))
  }

  /** @throws GENERATOR_BAD_CONTRACT where it is no text that can be a name */
  text(): string {
    if (typeof this.value === 'string' && this.value !== '' && this.value.length <= NAME_LENGTH_MAX)
      return this.value
    throw badContract(`\`${this.path}\` is not a name.`)
  }

  /** A member that is a text. @throws GENERATOR_BAD_CONTRACT */
  textOf(name: string): string {
    return this.get(name).text()
  }

  /** A member that is a list of texts. @throws GENERATOR_BAD_CONTRACT */
  textsOf(name: string): readonly string[] {
    return this.items(name).map((item) => item.text())
  }

  /** A member that is a boolean; false where it is not there. @throws GENERATOR_BAD_CONTRACT */
  flagOf(name: string): boolean {
    const flag = this.find(name)
    if (flag === undefined || typeof flag.value === 'boolean') return flag?.value === true
    throw badContract(`\`${flag.path}\` is not a boolean.`)
  }

  /** A member that is a whole number; undefined where it is not there. @throws GENERATOR_BAD_CONTRACT */
  countOf(name: string): number | undefined {
    const count = this.find(name)
    if (count === undefined || Number.isSafeInteger(count.value)) return count?.value as number | undefined
    throw badContract(`\`${count.path}\` is not a whole number.`)
  }

  #members(): Readonly<Record<string, unknown>> {
    const { value } = this
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
    throw badContract(
      this.path === '' ? 'The contract is not an object.' : `\`${this.path}\` is not an object.`,
    )
  }

  #pathOf(name: string): string {
    const short = name.length > 100 ? `${name.slice(0, 100)}…` : name
    return this.path === '' ? short : `${this.path}.${short}`
  }
}

/** What is not as a contract has it. */
export function badContract(happened: string): RowcastError {
  return new RowcastError('GENERATOR_BAD_CONTRACT', happened)
}

/** What is a contract, and of a kind that has no catalog. */
export function unsupportedContract(happened: string): RowcastError {
  return new RowcastError('GENERATOR_CONTRACT_UNSUPPORTED', happened)
}
