"""Progress bars in a notebook, with a stand-in of IPython."""

import sys
from types import ModuleType

import pytest

from tacit import _notebook, _progress
from training import small


@pytest.fixture
def shown(monkeypatch):
    """The texts of the one display, in order."""
    texts = []

    class Handle:
        def update(self, html):
            texts.append(html)

    def display(html, display_id):
        assert display_id is True
        texts.append(html)
        return Handle()

    module = ModuleType("IPython.display")
    module.HTML, module.display = str, display
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(_notebook, "INTERVAL", 0.0)
    return texts


def test_items_move_the_bar(shown, capfd):
    assert list(_progress.track(range(3), 5, "episodes <b>", done=2)) == [0, 1, 2]
    assert 'value="2" max="5"' in shown[0] and 'value="5" max="5"' in shown[-1] and len(shown) == 5
    assert "episodes &lt;b&gt;" in shown[-1]
    assert capfd.readouterr() == ("", "")


def test_a_count_without_a_total(shown):
    with _progress.counted("files") as count:
        count()
        count()
    assert shown[-1].startswith("<div>files: 2 in ")


def test_training_shows_its_loss(shown, tmp_path):
    _, report = small.run(tmp_path, steps=6, progress=True)
    last = f"loss {report.log[-1]['loss']:.4g}"
    assert 'value="6" max="6"' in shown[-1] and last in shown[-1]


def test_updates_are_rare(shown, monkeypatch):
    monkeypatch.setattr(_notebook, "INTERVAL", 1000.0)
    list(_progress.track(range(100), 100, "frames"))
    assert len(shown) == 2 and "100/100" in shown[-1]


def test_a_process_that_is_no_notebook_has_no_such_bar():
    assert not _notebook.in_notebook()
