"""What pyproject.toml cannot say: the configs beside the package become part of it in a wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CONFIGS = Path("configs")


class WithConfigs(build_py):
    """Also copies configs/ to cnnlab/configs/; an editable installation finds them where they are."""

    def run(self):
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        for source, target in self._copies():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_outputs(self, include_bytecode=True):
        """The built files, the configs among them."""
        return [*super().get_outputs(include_bytecode), *(target for _, target in self._copies())]

    def _copies(self):
        return [(str(path), str(Path(self.build_lib, "cnnlab", path))) for path in sorted(CONFIGS.rglob("*.yaml"))]


setup(cmdclass={"build_py": WithConfigs})
