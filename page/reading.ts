/** The live page: whether somebody reads in a list. While they do, nothing that is new may move what they look at. */

/** How far the top of the list has to be out of sight to count as scrolled, in pixels. */
const SCROLLED_MIN = 40

/**
 * Watches a list with a mouse, the keyboard, the wheel and a finger. Calls back where the answer changes.
 * @param list with the button that shows what is new: who goes to it must find it
 */
export function watchReading(list: HTMLElement, onChange: (isReading: boolean) => void): void {
  let isHovered = false
  let wasReading = false

  function look(): void {
    const isReading =
      isHovered ||
      list.contains(document.activeElement) ||
      list.getBoundingClientRect().top < -SCROLLED_MIN ||
      list.querySelector('details[open]') !== null
    if (isReading === wasReading) return
    wasReading = isReading
    onChange(isReading)
  }

  const hover = (isOver: boolean) => (event: PointerEvent) => {
    // A finger leaves when it is lifted; what it has opened or scrolled counts by itself.
    isHovered = isOver && event.pointerType === 'mouse'
    look()
  }
  list.addEventListener('pointerenter', hover(true))
  list.addEventListener('pointerleave', hover(false))
  list.addEventListener('focusin', look)
  // What is focused next is known only after the event.
  list.addEventListener('focusout', () => queueMicrotask(look))
  list.addEventListener('toggle', look, { capture: true })
  addEventListener('scroll', look, { passive: true })
}
