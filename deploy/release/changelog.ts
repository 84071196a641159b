/** Reads the changelog, which has the format of "Keep a Changelog". */

/**
 * @param changelog the whole file
 * @param version `1.2.3`
 * @returns the section's text without its heading
 * @throws Error if the version has no section, or an empty one
 */
export function sectionOf(changelog: string, version: string): string {
  const [, ...sections] = changelog.split(/^## /m);
  const section = sections.find((text) => headingVersion(text) === version);
  if (section === undefined) {
    const found = sections.map(headingVersion).join(', ');
    throw new Error(`CHANGELOG.md has no section "## ${version}"; it has ${found}.`);
  }
  const body = section.slice(section.indexOf('\n') + 1).trim();
  if (body === '') throw new Error(`CHANGELOG.md says nothing under "## ${version}".`);
  return body;
}

/** Of `[1.2.3] - 2026-11-24`, `1.2.3 - 2026-11-24` or `1.2.3`. */
function headingVersion(section: string): string {
  return /^\[?([^\]\s]+)/.exec(section)?.[1] ?? '';
}
