/** The burst as a picture: addresses over time, as SVG. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface Curve {
  readonly name: string;
  /** When each address came, in seconds, in ascending order. */
  readonly seconds: readonly number[];
}

const width = 860;
const height = 440;
const margin = { left: 60, right: 170, top: 44, bottom: 48 };
const colors = ['#888888', '#0b6e4f', '#c1432e', '#2b59c3'];
/** About so many marks on an axis. */
const MARKS = 6;

/** Writes the picture; its folder is made. */
export function plotBurst(file: string, title: string, curves: readonly Curve[]): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, drawBurst(title, curves));
}

/** @returns the SVG. Pure. */
export function drawBurst(title: string, curves: readonly Curve[]): string {
  const lastSecond = Math.max(1, ...curves.map(({ seconds }) => seconds.at(-1) ?? 0));
  const most = Math.max(1, ...curves.map(({ seconds }) => seconds.length));
  const x = (second: number): number => margin.left + (second / lastSecond) * plotWidth;
  const y = (count: number): number => height - margin.bottom - (count / most) * plotHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${margin.left}" y="24" font-size="15">${escaped(title)}</text>`,
    ...marks(most).map((count) => horizontal(y(count), String(count))),
    ...marks(lastSecond).map((second) => vertical(x(second), `${second} s`)),
    `<text x="${margin.left}" y="${margin.top - 6}" fill="#555555">addresses</text>`,
    ...curves.map(({ seconds }, index) => steps(seconds, x, y, colorOf(index))),
    ...curves.map((curve, index) => legend(curve, index)),
    '</svg>',
    '',
  ].join('\n');
}

const plotWidth = width - margin.left - margin.right;
const plotHeight = height - margin.top - margin.bottom;

function colorOf(index: number): string {
  return colors[index % colors.length] ?? '#000000';
}

/** Round numbers from 0 to the end of an axis. */
function marks(end: number): number[] {
  const rough = end / MARKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((times) => times * power >= rough) ?? 10);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, n) => Math.round(n * step * 1000) / 1000);
}

function horizontal(y: number, label: string): string {
  const end = width - margin.right;
  return (
    `<line x1="${margin.left}" y1="${y.toFixed(1)}" x2="${end}" y2="${y.toFixed(1)}" stroke="#e2e2e2"/>` +
    `<text x="${margin.left - 8}" y="${(y + 4).toFixed(1)}" text-anchor="end" fill="#555555">${label}</text>`
  );
}

function vertical(x: number, label: string): string {
  const bottom = height - margin.bottom;
  return (
    `<line x1="${x.toFixed(1)}" y1="${margin.top}" x2="${x.toFixed(1)}" y2="${bottom}" stroke="#e2e2e2"/>` +
    `<text x="${x.toFixed(1)}" y="${bottom + 18}" text-anchor="middle" fill="#555555">${label}</text>`
  );
}

/** A stair: it rises by one with each address. */
function steps(
  seconds: readonly number[],
  x: (second: number) => number,
  y: (count: number) => number,
  color: string,
): string {
  const path = seconds.map((second, n) => `H${x(second).toFixed(1)}V${y(n + 1).toFixed(1)}`).join('');
  const from = `M${x(0).toFixed(1)},${y(0).toFixed(1)}`;
  return `<path d="${from}${path}" fill="none" stroke="${color}" stroke-width="2"/>`;
}

function legend({ name, seconds }: Curve, index: number): string {
  const x = width - margin.right + 14;
  const y = margin.top + 16 + index * 38;
  const end = seconds.at(-1) ?? 0;
  return (
    `<line x1="${x}" y1="${y - 4}" x2="${x + 18}" y2="${y - 4}" stroke="${colorOf(index)}" stroke-width="3"/>` +
    `<text x="${x + 24}" y="${y}">${escaped(name)}</text>` +
    `<text x="${x + 24}" y="${y + 15}" fill="#555555">${seconds.length} in ${end.toFixed(1)} s</text>`
  );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
