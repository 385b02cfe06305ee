"""Make a pytest plugin of the suite: options, the choice and order of checks, and their fixtures.

`kubeadm-py verify` hands it the cluster. Plain pytest works as well, with testinfra's own options:
`pytest -p kubeadm_py.verify.plugin --pyargs kubeadm_py.verify.suite --hosts=ssh://cp1,ssh://w1 --sudo
--ssh-config=FILE`; the cluster then tells what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest
import testinfra

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.verify.checks import MARK, SAID, Check, Level, check_of
from kubeadm_py.verify.kubectl import Kubectl
from kubeadm_py.verify.playground import Playground
from kubeadm_py.verify.record import Recorder, host_of
from kubeadm_py.verify.survey import Survey
from kubeadm_py.verify.target import Target, discover

TARGET = pytest.StashKey[Target]()
RECORDER = pytest.StashKey[Recorder]()
LEVEL = pytest.StashKey[Level]()
READ_ONLY = pytest.StashKey[bool]()
NOTES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a plain pytest run."""
    group = parser.getgroup("kubeadm-py")
    group.addoption("--level", choices=[level.value for level in Level], default=Level.CLUSTER.value)
    group.addoption("--read-only", action="store_true", help="make nothing in the cluster")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark and fill in what nobody handed over."""
    config.addinivalue_line("markers", f"{MARK}(id, level, needs, changes): a check of kubeadm-py verify")
    if LEVEL not in config.stash:
        config.stash[LEVEL] = Level(config.getoption("--level", Level.CLUSTER.value))
    if READ_ONLY not in config.stash:
        config.stash[READ_ONLY] = bool(config.getoption("--read-only", default=False))
    if RECORDER not in config.stash:
        config.stash[RECORDER] = Recorder()


def target_of(config: pytest.Config) -> Target:
    """Return the target; a plain pytest run asks the hosts of its command line for it, once."""
    if TARGET not in config.stash:
        options = config.option
        hosts = (getattr(options, "hosts", None) or "").split(",")
        if hosts == [""]:
            raise pytest.UsageError("name the hosts: --hosts=ssh://cp1,ssh://w1")
        try:
            found = testinfra.get_hosts(
                hosts,
                connection=options.connection,
                ssh_config=options.ssh_config,
                ssh_identity_file=options.ssh_identity_file,
                sudo=options.sudo,
                sudo_user=options.sudo_user,
            )
        except RuntimeError as error:
            raise pytest.UsageError(f"--hosts: {error}") from error
        try:
            config.stash[TARGET] = discover(found)
        except KubeadmPyError as error:
            raise pytest.UsageError("; ".join([str(error), *error.details, error.fix])) from error
    return config.stash[TARGET]


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Find the cluster before anything is collected: whoever mistyped a host reads that, and no traceback."""
    target_of(session.config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the checks of hosts once a node."""
    if "node" in metafunc.fixturenames:
        cluster = target_of(metafunc.config).cluster
        mark = metafunc.definition.get_closest_marker(MARK)
        nodes = _nodes_of(cluster, mark.kwargs if mark is not None else {})
        metafunc.parametrize("node", nodes, ids=[node.name for node in nodes], scope="session")


def _nodes_of(cluster: ResolvedCluster, kwargs: Mapping[str, Any]) -> tuple[Node, ...]:
    if kwargs.get("etcd_members_only"):
        # Where others run etcd, control planes say that nobody looked.
        return cluster.etcd_members or cluster.control_planes
    if kwargs.get("control_planes_only"):
        return (*cluster.control_planes, *cluster.etcd_hosts)
    return cluster.nodes


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks of the level, each after those that it needs."""
    level = config.stash[LEVEL]
    known = {item: check_of(item) for item in items}
    gone = [item for item, check in known.items() if check and not level.includes(check.level)]
    checks = {check.id: check for check in known.values() if check}

    order = list(checks)

    def place(item: pytest.Item) -> tuple[int, int, int]:
        check = known[item]
        if check is None:
            return (len(Level), 0, 0)
        return (list(Level).index(check.level), _depth(check, checks), order.index(check.id))

    items[:] = sorted((item for item in items if item not in gone), key=place)
    if gone:
        config.hook.pytest_deselected(items=gone)


def _depth(check: Check, checks: dict[str, Check]) -> int:
    return 1 + max((_depth(checks[name], checks) for name in check.needs if name in checks), default=0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, with the reason, what cannot or must not run."""
    check = check_of(item)
    if check is None:
        return
    if cause := item.config.stash[RECORDER].cause(check, host_of(item)):
        pytest.skip(f"cannot tell, because {cause}")
    if check.changes and item.config.stash[READ_ONLY]:
        pytest.skip("read-only: it makes objects in the cluster")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record every check."""
    report = yield
    item.config.stash[RECORDER].take(item, call, report)
    return report


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    """Return the cluster that is verified, with its hosts."""
    return target_of(request.config)


@pytest.fixture(scope="session")
def cluster(target: Target) -> ResolvedCluster:
    """Return what the cluster should be."""
    return target.cluster


@pytest.fixture(scope="session")
def surveys(target: Target) -> dict[str, Survey | KubeadmPyError]:
    """Return what every host showed; all are asked at the same time."""
    return target.survey_all()


@pytest.fixture
def survey(node: Node, surveys: dict[str, Survey | KubeadmPyError]) -> Survey:
    """Return what the check's host showed; raise its error where it was not reached."""
    found = surveys[node.name]
    if isinstance(found, KubeadmPyError):
        raise found
    return found


@pytest.fixture(scope="session")
def host(node: Node, target: Target) -> Any:
    """Return the testinfra host of the check's node."""
    return target.hosts[node.name]


@pytest.fixture(scope="session")
def kubectl(target: Target) -> Kubectl:
    """Return kubectl on a control-plane host."""
    return target.kubectl()


@pytest.fixture(scope="session")
def playground(request: pytest.FixtureRequest, kubectl: Kubectl) -> Generator[Playground]:
    """Return the run's own namespace, which is removed at the end whatever happens."""
    ground = Playground(kubectl)
    try:
        yield ground
    finally:
        try:
            ground.remove()
        except KubeadmPyError as error:
            ground.notes.append(
                f"{ground.namespace} may be left: kubectl delete ns {ground.namespace}; {error}"
            )
        request.config.stash.setdefault(NOTES, []).extend(ground.notes)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return what notes a thing worth saying that is no failure."""

    def note(text: str) -> None:
        request.node.user_properties.append((SAID, text))

    return note
