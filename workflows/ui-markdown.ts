/** What the Temporal UI asks of the Markdown that it shows. Pure. */

/** A paragraph with nothing to see in it: a no-break space, since blank lines at the end do not count. */
const EMPTY_PARAGRAPH = ['', '\u00a0'];

/**
 * The UI makes the frame of a text as high as the text and forgets the frame's own padding, up to version 2.42 at least: the
 * last two lines cannot be seen. So every text ends with something that nobody misses.
 *
 * @param lines of Markdown
 */
export function uiMarkdown(lines: readonly string[]): string {
  return [...lines, ...EMPTY_PARAGRAPH].join('\n');
}
