package live;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherSession;
import org.junit.platform.launcher.LauncherSessionListener;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/**
 * Writes each test down as it happens, to events.jsonl, and at the end their number, to
 * collection.json: a run shows its progress by them, and keeps them when its pod is killed. Found by
 * the files in META-INF/services, under Maven and Gradle alike. Names are those of Surefire's reports.
 */
public final class Live implements TestExecutionListener, LauncherSessionListener {
    private static final Path RESULTS =
            Path.of(System.getenv().getOrDefault("FLOE_RESULTS_DIR", "/results"));
    private static final Path EVENTS = RESULTS.resolve("events.jsonl");
    // Surefire makes one listener for the session, and JUnit another one for each plan.
    private static final Map<String, Long> STARTED = new ConcurrentHashMap<>();
    private static final Set<String> TESTS = ConcurrentHashMap.newKeySet();
    private static final AtomicInteger FAILED = new AtomicInteger();
    private static TestPlan plan;

    @Override
    public void launcherSessionOpened(LauncherSession session) {
        write("{\"$report_type\":\"SessionStart\"}");
    }

    @Override
    public void testPlanExecutionStarted(TestPlan started) {
        plan = started;
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        if (test.isTest()) {
            STARTED.put(test.getUniqueId(), System.nanoTime());
            report(test, "setup", "passed", "");
        }
    }

    @Override
    public void executionSkipped(TestIdentifier skipped, String reason) {
        if (skipped.isTest()) {
            report(skipped, "setup", "passed", "");
            end(skipped, "skipped", reason, "");
        } else {
            plan.getChildren(skipped).forEach(child -> executionSkipped(child, reason));
        }
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        Throwable thrown = result.getThrowable().orElse(null);
        if (test.isTest()) {
            end(test, outcome(result.getStatus(), thrown), message(thrown), text(thrown));
        } else if (result.getStatus() == TestExecutionResult.Status.FAILED) {
            FAILED.incrementAndGet(); // @BeforeAll or @AfterAll: Surefire's report has it
        }
    }

    @Override
    public void launcherSessionClosed(LauncherSession session) {
        // How many there are in a @ParameterizedTest is known once it has run.
        try {
            Files.writeString(
                    RESULTS.resolve("collection.json"), "{\"collected\":" + TESTS.size() + "}");
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        int status = FAILED.get() == 0 ? 0 : 1;
        write("{\"$report_type\":\"SessionFinish\",\"exitstatus\":" + status + "}");
    }

    private static String outcome(TestExecutionResult.Status status, Throwable thrown) {
        return switch (status) {
            case SUCCESSFUL -> "passed";
            case ABORTED -> "skipped";
            // Surefire tells a broken assertion from another exception.
            case FAILED -> thrown instanceof AssertionError ? "failed" : "error";
        };
    }

    private static void end(TestIdentifier test, String outcome, String message, String text) {
        if (!outcome.equals("passed") && !outcome.equals("skipped")) {
            FAILED.incrementAndGet();
        }
        Long started = STARTED.remove(test.getUniqueId());
        double seconds = started == null ? 0 : (System.nanoTime() - started) / 1e9;
        String more = ",\"duration\":" + seconds;
        if (!message.isEmpty()) {
            more += ",\"longrepr\":{\"reprcrash\":{\"message\":" + quoted(message) + "}}";
            more += ",\"sections\":[[\"stack\"," + quoted(text) + "]]";
        }
        report(test, "call", outcome, more);
        report(test, "teardown", "passed", "");
    }

    private static void report(TestIdentifier test, String when, String outcome, String more) {
        String classname = classname(test);
        String name = name(test);
        TESTS.add(classname + "::" + name);
        String names = ",\"classname\":" + quoted(classname) + ",\"name\":" + quoted(name);
        write("{\"$report_type\":\"TestReport\",\"nodeid\":" + quoted(test.getUniqueId()) + names
                + ",\"when\":\"" + when + "\",\"outcome\":\"" + outcome + "\"" + more + "}");
    }

    private static String classname(TestIdentifier test) {
        return test.getSource()
                .map(source -> source instanceof MethodSource method ? method.getClassName()
                        : source instanceof ClassSource type ? type.getClassName() : "")
                .orElse("");
    }

    /** A test's method; of one with parameters what Surefire appends: their types and the number. */
    private static String name(TestIdentifier test) {
        String name = test.getLegacyReportingName();
        return name.endsWith("()") ? name.substring(0, name.length() - 2) : name;
    }

    private static String message(Throwable thrown) {
        return thrown == null ? "" : thrown.getMessage() == null ? thrown.toString() : thrown.getMessage();
    }

    private static String text(Throwable thrown) {
        if (thrown == null) {
            return "";
        }
        StringBuilder text = new StringBuilder(thrown.toString());
        for (StackTraceElement frame : thrown.getStackTrace()) {
            text.append("\n\tat ").append(frame);
        }
        return text.toString();
    }

    private static synchronized void write(String event) {
        try {
            Files.createDirectories(RESULTS);
            Files.writeString(EVENTS, event + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            if (character == '"' || character == '\\') {
                json.append('\\').append(character);
            } else if (character < ' ') {
                json.append(String.format("\\u%04x", (int) character));
            } else {
                json.append(character);
            }
        }
        return json.append('"').toString();
    }
}
