import pytest

from cnnlab.attribution.catalog import chosen, chosen_methods, written
from cnnlab.config import QUICKSTART, shipped
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Registry, component
from cnnlab.core.yaml import parse
from cnnlab.project.listing import KINDS, KINDS_LISTED, METHODS, find, find_config, listed, listed_configs

ENTRIES = [entry for kind in KINDS for entry in listed(kind)]


def test_every_registry_can_be_listed():
    # other tests make registries of their own
    ours = {e.kind for r in Registry._all.values() for e in r if e.factory.__module__.startswith("cnnlab.")}
    assert {kind.registry for kind in KINDS_LISTED.values()} >= ours


@pytest.mark.parametrize("kind", KINDS_LISTED)
def test_every_entry_of_a_registry_is_there_by_name(kind):
    names = [entry.name for entry in listed(kind)]
    assert names
    assert names == sorted(entry.name for entry in Registry.of(KINDS_LISTED[kind].registry))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_entry_says_what_it_is_and_its_example_is_right(entry):
    assert entry.summary.endswith((".", ":")) or entry.summary
    assert entry.doc.startswith(entry.summary)
    node = parse(entry.example, "example")
    kind = KINDS[entry.kind]
    for key in kind.path:
        node = node[key]
    written = node[0] if kind.many else node
    name, options = (written, {}) if isinstance(written, str) else next(iter(written.items()))
    assert name == entry.name
    assert component(kind.registry, name, **(options or {})).name == entry.name


@pytest.mark.parametrize("entry", listed(METHODS), ids=lambda entry: entry.name)
def test_every_method_says_what_it_is_and_its_example_is_all_its_defaults(entry):
    assert entry.summary.endswith(".")
    assert entry.facts["paper"].startswith(("arXiv:", "doi:"))
    assert all(option.description.endswith(".") for option in entry.options)
    assert {option.name for option in entry.options} == set(chosen(entry.name).options)
    (made,) = chosen_methods(entry.example.removeprefix("--method "))
    assert made == chosen(entry.name)
    assert written(made) == entry.example.removeprefix("--method ")


def test_a_kind_that_is_not_there():
    with pytest.raises(RequestError, match=r"no list 'layer'; there are layers, .* Did you mean 'layers'\?"):
        listed("layer")


def test_a_name_that_is_not_there():
    with pytest.raises(RequestError, match=r"no layer 'convv'.* Did you mean 'conv'\?"):
        find("layers", "convv")


def test_the_configs_that_come_with_cnnlab():
    configs = {config.name: config for config in listed_configs()}
    assert {"cifar", "quickstart"} <= set(configs)
    assert "SmallCNN" in configs["cifar"].summary
    assert not configs["cifar"].summary.startswith(("#", "What"))
    assert find_config("cifar.yaml") == configs["cifar"]


def test_the_built_in_config_is_there_without_a_clone(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "SHIPPED", None)
    monkeypatch.chdir(tmp_path)
    assert [config.path for config in listed_configs()] == [QUICKSTART]


def test_a_config_that_is_not_there():
    with pytest.raises(RequestError, match=r"no config 'cifra'.* Did you mean 'cifar'\?"):
        find_config("cifra")
