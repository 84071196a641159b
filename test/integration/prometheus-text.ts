/** Reads what a program serves at `/metrics` ("Exposition formats", text-based format). */
export interface Sample {
  /** With the suffix that the series of a histogram have. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Name and labels as they were written. */
  readonly series: string;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly samples: readonly Sample[];
  /** Names of labels, sorted; undefined: it has no sample. */
  readonly labels: readonly string[] | undefined;
}

const sampleLine = /^((\w+)(?:\{(.*)\})?) (\S+)$/gm;

export function allSamples(text: string): Sample[] {
  return [...text.matchAll(sampleLine)].map(([, series = '', name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text2 = '']) => [key, text2]),
    ),
    value: Number(value),
    series,
  }));
}

export function familiesOf(text: string): MetricFamily[] {
  const samples = allSamples(text);
  return [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => {
    const own = samples.filter(
      (sample) => sample.name === name || (type === 'histogram' && isPartOf(sample.name, name)),
    );
    const labels = new Set(own.flatMap((sample) => Object.keys(sample.labels)));
    labels.delete('le');
    return { name, type, samples: own, labels: own.length === 0 ? undefined : [...labels].toSorted() };
  });
}

function isPartOf(series: string, histogram: string): boolean {
  return ['_bucket', '_sum', '_count'].some((suffix) => series === `${histogram}${suffix}`);
}

/** @returns the value of the one series with these labels, or undefined if there is none */
export function sampleOf(text: string, name: string, labels: Record<string, string>): number | undefined {
  const found = allSamples(text).filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  if (found.length > 1) throw new Error(`${name} has ${found.length} series with ${JSON.stringify(labels)}`);
  return found[0]?.value;
}
