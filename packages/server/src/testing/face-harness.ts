import type { Answer, ClientRequest, Seen } from '@skerry/replica';
import { HttpFace } from '../http/face.ts';
import { defaultClientLimits } from '../limits.ts';
import { OpenRequests } from '../requests.ts';
import { silentLog } from './logs.ts';

/** The HTTP face around a scripted replica, without a socket. */
export class FaceHarness {
  readonly asked: ClientRequest[] = [];
  /** Error codes that were counted. */
  readonly codes: string[] = [];
  reply: (request: ClientRequest) => Answer;
  seen: Seen = { version: 0, partitions: [] };
  readonly face: HttpFace;

  constructor(reply: (request: ClientRequest) => Answer) {
    this.reply = reply;
    const requests = new OpenRequests({
      request: (handle, request) => {
        this.asked.push(request);
        setImmediate(() => requests.deliver([{ handle, answer: this.reply(request) }]));
      },
      cancel: () => {},
      watchReady: () => {},
    });
    this.face = new HttpFace({
      version: '1.2.3',
      partitionCount: 4,
      limits: { ...defaultClientLimits, valueBytesMax: 1_000, httpJsonBytesMax: 4_000 },
      requests,
      clusterNowMs: () => 1_700_000_000_000,
      seen: () => this.seen,
      log: silentLog(),
      countRequest: () => {},
      countError: (code) => this.codes.push(code),
    });
    this.face.start();
  }

  async call(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    url: string,
    { body, headers = {} }: { readonly body?: object | string; readonly headers?: Record<string, string> } = {},
  ): Promise<{ status: number; headers: Record<string, unknown>; body: unknown }> {
    const response = await this.face.app.inject({
      method,
      url,
      headers,
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: response.statusCode,
      headers: response.headers,
      body: response.body === '' ? null : (response.json() as unknown),
    };
  }
}
