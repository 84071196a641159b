/** Text as an attacker writes it into whatever this project shows: a Node's name or annotation, a tag, a message of a cloud. */

/** Sets the title, rings, rubs out lines and paints "assigned"; the same by the control characters above DEL; turns the direction. */
export const terminalAttack =
  '\u001b]0;PWNED\u0007\u001b[2K\u001b[1A\u001b[35massigned\u001b[0m\u009b31m\u009d0;X\u009c\u007f\r\u202efdp.exe\u2066\u200b\u2028NODE\n#';

/** An image that tells who looks, HTML, links, a table's end, code, math. */
export const markupAttack =
  '<img/src=x>![x](http://127.0.0.1:9/x.png)[click](https://evil.example/)<b>bold</b> www.evil.example a@evil.example | x |`y` ``z $m$ **s** _e_ ~~d~~ &lt;i&gt; \\<u\\>\n# head\n- item';

export const hostileText = `x${terminalAttack}${markupAttack}`;

/** What no text for a terminal may hold. Line breaks and tabs are for the one who writes the line. */
export const terminalCharacters = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** @returns the value with hostile text at the end of each text in it */
export function madeHostile<T>(value: T, text = hostileText): T {
  const made = (one: unknown): unknown => {
    if (typeof one === 'string') return `${one}${text}`;
    if (Array.isArray(one)) return one.map(made);
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, made(inner)]));
  };
  return made(value) as T;
}
