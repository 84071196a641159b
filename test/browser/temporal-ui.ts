/**
 * The Temporal UI as a person has it before them, in a real browser. What is read here is what can be seen: labels, columns and words, not
 * the UI's API.
 */
import { writeFileSync } from 'node:fs';
import { type Browser, chromium, type Frame, type Page } from 'playwright-core';
import { resolveChromium } from '../../sandbox/tools/chromium.ts';
import { waitFor } from '../integration/wait-for.ts';

/** For a container, as root, without a GPU, and without calls to anybody. */
const launchArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The UI reads a news feed.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

/** Far more than a page takes on a machine that has other things to do. */
const patienceMs = 60_000;

/** The lowest pixel of anything written in a frame, below what the frame shows of it. Blanks count for nothing. */
const hiddenPixels = `(() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let lowest = 0;
  while (texts.nextNode()) {
    if (texts.currentNode.data.trim() === '') continue;
    const range = document.createRange();
    range.selectNodeContents(texts.currentNode);
    for (const { bottom } of range.getClientRects()) lowest = Math.max(lowest, bottom);
  }
  return Math.max(0, Math.ceil(lowest - innerHeight));
})()`;

/** All that this project's own Markdown makes. */
const ownElements =
  'main, p, strong, em, code, ul, li, table, thead, tbody, tr, th, td, br, style, title, meta, base, head, html, body';

/** What stands in one frame of rendered Markdown. */
export interface RenderedText {
  readonly text: string;
  /** How many pixels of it are cut off: 0 if all of it can be read without scrolling in the frame. */
  readonly hiddenPixels: number;
  /** Names of the elements in it that are no plain text, tables, lists, code or emphasis: images, links, scripts, … */
  readonly foreignElements: readonly string[];
}

export class TemporalUi {
  readonly page: Page;
  readonly #browser: Browser;
  readonly #namespaceUrl: string;

  private constructor(browser: Browser, page: Page, namespaceUrl: string) {
    this.#browser = browser;
    this.page = page;
    this.#namespaceUrl = namespaceUrl;
  }

  /**
   * @param server the UI's base URL, and a namespace
   * @throws ToolError if there is no browser
   */
  static async open(server: { uiUrl: string | undefined; namespace: string }): Promise<TemporalUi> {
    const { path } = await resolveChromium();
    const browser = await chromium.launch({ executablePath: path, args: launchArguments });
    const page = await browser.newPage({ viewport: { width: 1440, height: 1400 } });
    page.setDefaultTimeout(patienceMs);
    return new TemporalUi(browser, page, `${server.uiUrl}/namespaces/${server.namespace}`);
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }

  /** Keeps a part of the window as an image: so many pixels, from so far below its top. */
  async keepScreenshot(file: string, height: number, top = 0): Promise<void> {
    // Whatever the pointer rests on would be lit: nothing is there.
    await this.page.mouse.move(720, 60);
    const clip = { x: 0, y: top, width: 1440, height };
    writeFileSync(file, await this.page.screenshot({ clip, animations: 'disabled' }));
  }

  // ---- the list of workflows ----

  async openList(query: string): Promise<void> {
    await this.page.goto(`${this.#namespaceUrl}/workflows?query=${encodeURIComponent(query)}`);
    await this.page.getByTestId('workflows-summary-table-configuration-button').waitFor();
  }

  /** By "Configure Workflows Table". The browser keeps it. */
  async configureColumns(columns: { remove: string[]; add: string[] }): Promise<void> {
    await this.page.getByTestId('workflows-summary-table-configuration-button').click();
    for (const name of columns.remove) await this.#button(`Remove ${name} column`).click();
    for (const name of columns.add) await this.#button(`Add ${name} column`).click();
    await this.#button('Close Workflows Table configuration').click();
  }

  /** @returns the rows of the list, each with its cells by the titles of their columns */
  async listedRows(): Promise<Record<string, string>[]> {
    const titles = await this.page.locator('table thead th').allInnerTexts();
    const rows = await this.page.locator('table tbody tr').all();
    return Promise.all(
      rows.map(async (row) => {
        const cells = await row.locator('td').allInnerTexts();
        const named = titles.map((title, index): [string, string] => [
          title.trim(),
          (cells[index] ?? '').trim(),
        ]);
        return Object.fromEntries(named.filter(([title]) => title !== ''));
      }),
    );
  }

  // ---- a workflow's page ----

  async openWorkflow(workflowId: string): Promise<void> {
    await this.page.goto(`${this.#namespaceUrl}/workflows/${encodeURIComponent(workflowId)}`);
    await this.page.getByRole('heading', { name: workflowId }).waitFor();
  }

  async openTab(name: string): Promise<void> {
    await this.page.getByRole('tab', { name }).click();
  }

  /** @returns how far below the top of the window the story of the workflow begins, which the first tab draws */
  async topOfTimeline(): Promise<number> {
    const box = await this.page.getByRole('heading', { name: 'Timeline' }).boundingBox();
    return Math.max(0, (box?.y ?? 0) - 24);
  }

  /** @returns what the page shows beside frames of rendered Markdown */
  async pageText(): Promise<string> {
    return this.page.locator('main').first().innerText();
  }

  /**
   * Opens the tab "User Metadata".
   *
   * @returns static summary, static details and current details
   */
  async userMetadata(workflowId: string): Promise<RenderedText[]> {
    await this.openWorkflow(workflowId);
    await this.openTab('User Metadata');
    await this.page.getByRole('heading', { name: 'Current Details' }).waitFor();
    return waitFor(
      `three texts of ${workflowId}`,
      () => Promise.all(this.#renderedFrames().map(readFrame)),
      (texts) => texts.length === 3 && texts.every(({ text }) => text !== ''),
    );
  }

  #renderedFrames(): Frame[] {
    return this.page.frames().filter((frame) => frame.url().includes('/render?'));
  }

  /** By "More Actions". @param input the signal's one argument, as JSON */
  async fillInSignal(name: string, input: string): Promise<void> {
    await this.page.getByRole('button', { name: 'More Actions' }).click();
    await this.page.getByRole('menuitem', { name: 'Send a Signal' }).click();
    const dialog = this.page.getByRole('dialog').filter({ hasText: 'Signal name' });
    await dialog.getByTestId('signal-select-button').click();
    await dialog.getByRole('option', { name, exact: true }).click();
    await dialog.getByRole('textbox').last().fill(input);
  }

  async submitSignal(): Promise<void> {
    const dialog = this.page.getByRole('dialog').filter({ hasText: 'Signal name' });
    await dialog.getByRole('button', { name: 'Submit' }).click();
    await dialog.waitFor({ state: 'hidden' });
  }

  // ---- a Schedule's page ----

  async openSchedule(scheduleId: string): Promise<void> {
    await this.page.goto(`${this.#namespaceUrl}/schedules/${encodeURIComponent(scheduleId)}`);
    await this.page.getByRole('heading', { name: scheduleId }).waitFor();
  }

  #button(name: string) {
    return this.page.getByRole('button', { name, exact: true });
  }
}

async function readFrame(frame: Frame): Promise<RenderedText> {
  // It is given its height when it is loaded.
  await frame.waitForLoadState('load');
  return {
    // The page shows the blank lines around a text as such.
    text: (await frame.locator('main').innerText()).trim(),
    hiddenPixels: await frame.evaluate<number>(hiddenPixels),
    foreignElements: await frame
      .locator(`main *:not(${ownElements})`)
      .evaluateAll((elements) => elements.map(({ outerHTML }) => outerHTML)),
  };
}
