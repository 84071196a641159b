/**
 * @param text a boolean as KubeIP's variables may hold it (Go's `strconv.ParseBool`)
 * @returns undefined if it is none
 */
export function parseGoBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  return undefined;
}
