/** Takes out of a report what tells whose account it was. Pure. */

/** What names an account or a person, whatever the account is. */
const telling: readonly (readonly [RegExp, string])[] = [
  // EC2's is a message that only the account itself can decode.
  [/(Encoded authorization failure message: )\S+/g, '$1<masked>'],
  [/\barn:aws[a-z-]*:[^\s'"`<>,;)]+/g, '<arn>'],
  [/\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, '<email>'],
  [/\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{8,}\b/g, '<key id>'],
  // The name of an availability domain begins with letters of the tenancy.
  [/\b(ocid1\.(?:tenancy|compartment|user|subnet|image)\.)[\w.-]+/g, '$1<id>'],
  [/\b\w{4}:(?=[A-Z]{2}(?:-[A-Z]+)+-\d-AD-\d)/g, ''],
  [/\b(project_number:|projects\/)\d+/g, '$1<number>'],
  // An AWS account, the number of a Google Cloud project.
  [/(?<![\w.-])\d{12}(?![\w.-])/g, '<account>'],
];

/** @param secrets texts that are known: the account id, the project id @returns the text without them */
export function masked(text: string, secrets: readonly string[]): string {
  // By form first: what is known may be a part of it.
  const withoutForms = telling.reduce((rest, [pattern, by]) => rest.replaceAll(pattern, by), text);
  return secrets
    .filter((secret) => secret !== '')
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, '<account>'), withoutForms);
}

/** @returns the value with each text in it masked */
export function maskedValue<T>(value: T, secrets: readonly string[]): T {
  return JSON.parse(JSON.stringify(value), (_, part: unknown) =>
    typeof part === 'string' ? masked(part, secrets) : part,
  ) as T;
}
