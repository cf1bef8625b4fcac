"""A program that answers a line with a line."""

import subprocess


class Core:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer == "":
            raise RuntimeError(f"the core ended at: {question[:4000]!r}")
        return answer.rstrip("\n")

    def rules(self, *lines):
        self.ask("reset")
        for line in lines:
            answer = self.ask(f"line {line}")
            if answer != "ok":
                raise RuntimeError(f"{line}: {answer}")

    def end(self):
        self.process.stdin.close()
        return self.process.wait()
