"""Journeys of a class in a real browser: a teacher's link, the projector, a step part by part, a lesson."""

import re

import pytest
from browser import LIVE
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.flaky(reruns=1),
]


def test_a_teachers_link_is_made_and_opened_by_a_student(visit):
    teacher = visit("hide=optimizer,network&lock=dataset&dataset=circles")
    page = teacher.page
    teacher.click("For teachers")
    page.get_by_label("Task").fill("Which features\nseparate <b>them</b>?")
    page.get_by_label("Task").press("Control+Enter")
    teacher.idle()
    link = page.locator("code", has_text="task=").inner_text()
    student = visit(link.partition("?")[2])
    for _ in "open", "reload":
        page = student.page
        expect(page.locator(".toytrain-task")).to_have_text("Which features\nseparate <b>them</b>?")
        expect(page.get_by_label("dataset", exact=True)).to_be_disabled()
        expect(page.get_by_label("dataset", exact=True)).to_have_value("circles")
        expect(page.get_by_label("optimizer", exact=True)).to_have_count(0)
        expect(page.locator(".toytrain-boundary").first).to_be_visible()
        expect(page.locator(".toytrain-network")).to_have_count(0)
        expect(student.button("For teachers")).to_have_count(0)
        student.until("document.querySelector('.stMain').scrollHeight <= innerHeight")
        student.reload()
    student.train(5)
    student.click("Reset")
    student.until(f"{LIVE}.dataset.step === '0'")
    page.get_by_test_id("stTopNavLink").filter(has_text="Data").click()
    page.get_by_role("radio", name="Own points").wait_for()
    expect(page.get_by_label("dataset", exact=True)).to_be_disabled()
    page.get_by_test_id("stTopNavLink").filter(has_text="Train").click()
    student.ready()
    assert student.query["lock"] == "dataset"
    assert student.query["hide"].endswith("teachers")
    expect(page.locator(".toytrain-task")).to_be_visible()


def test_a_teacher_presents_and_steps_with_the_keyboard_alone(visit):
    visitor = visit("hidden=4")
    page = visitor.page
    size = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    assert visitor.evaluate(size) == 16
    page.keyboard.press("f")
    visitor.until(f"{size} > 18")
    assert visitor.query["present"] == "1"
    expect(page.get_by_test_id("stTopNav")).to_be_hidden()
    visitor.button("Play").click(trial=True)  # nothing lies over it
    page.locator(".toytrain-neurons > button[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    enlarged = page.locator(".toytrain-boundary .toytrain-title").filter(has_text="neuron 0")
    expect(enlarged).to_be_visible()
    page.keyboard.press("Escape")  # puts the neuron back, and that is all
    expect(enlarged).to_be_hidden()
    visitor.idle()
    assert visitor.query["present"] == "1"
    page.keyboard.press("Escape")
    visitor.until(f"{size} === 16")
    assert "present" not in visitor.query
    for lines in (
        ["features, labels = self.next_batch()", "logits = self.model(features)"],
        ["loss = self.loss(logits, labels)"],
        ["self.optimizer.zero_grad()", "loss.backward()", "self.clip_gradients()"],
        ["self.optimizer.step()", "return self.record(loss)"],
    ):
        page.keyboard.press("h")
        expect(page.locator(".toytrain-code mark")).to_have_text(
            re.compile(r"\s+".join(map(re.escape, lines)))
        )
        visitor.idle()
    expect(page.locator(".toytrain-tensor", has_text="layers.0.weight")).to_contain_text("(4, 2)")
    assert visitor.step == 1
    page.keyboard.press("k")
    expect(page.get_by_role("dialog")).to_contain_text("Half step")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_lessons_check_turns_green_when_the_task_is_done_and_not_before(visit):
    visitor = visit("lesson=first-network&done=2&speed=0")
    lesson = visitor.page.locator(".st-key-lesson")
    done = lesson.get_by_text("check_circle")
    expect(lesson).to_contain_text("test accuracy ≥ 0.95")
    expect(done).to_have_count(2)
    visitor.click("Step batch")
    visitor.until(f"{LIVE}.dataset.step === '1'")
    visitor.idle()
    assert float(visitor.figure("test_score")) < 0.95
    expect(done).to_have_count(2)
    visitor.play()
    expect(done).to_have_count(3, timeout=30_000)  # nobody clicks for it
    assert visitor.query["passed"] == "first-network"
    visitor.click("Next: The learning rate")
    visitor.until("location.search.includes('lesson=learning-rate')")
    expect(visitor.page.get_by_label("learning rate", exact=True)).to_be_visible()
    expect(visitor.page.get_by_label("dataset", exact=True)).to_have_count(0)
