/** Stage 3, catalog. Which names GraphQL takes; the generator asks, too. */

/** What may be a name in GraphQL; one that begins with two underscores is the language's own. Spec, section 2.1.9. */
const GRAPHQL_NAME = /^[_A-Za-z][_0-9A-Za-z]*$/
/** Words that are values of other types. Spec, section 3.9. */
const VALUE_WORDS: ReadonlySet<string> = new Set(['true', 'false', 'null'])

/** Whether GraphQL takes the name for a type or a field. */
export function isGraphqlName(name: string): boolean {
  return GRAPHQL_NAME.test(name) && !name.startsWith('__')
}

/** Whether GraphQL takes the name for a value of an enum. */
export function isEnumValueName(name: string): boolean {
  return isGraphqlName(name) && !VALUE_WORDS.has(name)
}
