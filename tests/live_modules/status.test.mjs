// Who tells Python to run again, and when nobody may.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { StatusFollower } from "../../pages/parts/live/static/status.js";

let reported;
let follower;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  reported = [];
  follower = new StatusFollower((status) => reported.push(status));
  follower.rendered("paused");
  follower.streamed("paused");
  mock.timers.tick(5000);
});

test("nothing is reported while the page and the stream agree", () => {
  for (let frame = 0; frame < 100; frame++) follower.streamed("paused");
  follower.rendered("paused");
  mock.timers.tick(5000);
  assert.deepEqual(reported, []);
});

test("a change that only the stream knows is reported at once, and once", () => {
  follower.streamed("finished");
  for (let frame = 0; frame < 100; frame++) follower.streamed("finished");
  mock.timers.tick(5000);
  assert.deepEqual(reported, ["finished"]);
});

test("after a click the stream may be late", () => {
  follower.rendered("playing");
  mock.timers.tick(150);
  follower.streamed("paused"); // frames of before are still coming
  follower.streamed("playing");
  mock.timers.tick(5000);
  assert.deepEqual(reported, []);
});

test("where the stream does not follow, Python hears it in the end", () => {
  follower.rendered("playing");
  mock.timers.tick(5000);
  assert.deepEqual(reported, ["paused"]);
});

test("the status of a run that was left is not held against the next", () => {
  follower.streamed("finished");
  follower.reset();
  follower.rendered("playing");
  mock.timers.tick(5000);
  follower.streamed("playing");
  assert.deepEqual(reported, ["finished"]);
});
