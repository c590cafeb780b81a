/** The live page: making elements, and finding those of index.html. */

type Child = Node | string

/** An element with attributes and children; text stays text, whatever is in it. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** The element with this id, which index.html has. */
export function find<Type extends HTMLElement>(id: string, type: abstract new () => Type): Type {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`The page has no #${id}.`)
  return found
}

/** Writes the text only where it differs: nothing is announced or laid out for nothing. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text
}
