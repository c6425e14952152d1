using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Veredus.Demo;

/// <summary>
/// Starts the program again inside namespaces of its own: user (if need be), mount, network and process ids. Everything that the demo makes
/// lives in them, so the kernel removes it when the demo's first process ends, however that happens; only a directory remains for us.
/// </summary>
internal static partial class Launcher
{
    /// <summary>Set for the program inside: the demo's directory.</summary>
    public const string DirectoryVariable = "VEREDUS_DEMO_DIRECTORY";

    /// <summary>Own /run (names of network namespaces, corosync's lock file) and /dev/shm (corosync's rings), and the loopback up.</summary>
    public const string MountScript = "mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777,size=512m tmpfs /dev/shm && ip link set lo up";

    /// <summary>This program, also when it was started as <c>dotnet veredus.dll</c>.</summary>
    public static string Program => Path.Combine(AppContext.BaseDirectory, "veredus");

    /// <summary>The command line in front of a program that is to run isolated.</summary>
    public static string[] Unshare(IsolationKind kind) =>
        ["unshare", .. kind == IsolationKind.UserNs ? ["--user", "--map-root-user"] : Array.Empty<string>(),
            "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

    /// <summary>Runs the same command inside; returns its exit code. A cancelled token asks it to end, and it does so in good order.</summary>
    public static Task<int> RunAsync(DemoDirectory directory, IsolationKind kind, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        string[] command = ["setpriv", "--pdeathsig", "KILL", .. Unshare(kind), "sh", "-c", $"{MountScript} && exec \"$0\" \"$@\"", Program, .. arguments];
        var start = new ProcessStartInfo(command[0], command[1..]) { UseShellExecute = false };
        start.Environment[DirectoryVariable] = directory.Path;
        // Whatever programs inside leave behind in a temporary directory goes with ours.
        start.Environment["TMPDIR"] = Directory.CreateDirectory(System.IO.Path.Combine(directory.Path, "tmp")).FullName;
        start.Environment.Remove("JOURNAL_STREAM");
        start.Environment.Remove("NOTIFY_SOCKET");
        var ended = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        // "Dies with its parent" means the thread that started it: this one stays as long as the child does.
        var thread = new Thread(() =>
        {
            try
            {
                using var process = Process.Start(start) ?? throw new IOException($"{command[0]} could not be started.");
                using var asking = cancellationToken.Register(() => AskToEnd(process.Id));
                process.WaitForExit();
                ended.SetResult(process.ExitCode);
            }
            catch (Exception failure)
            {
                ended.SetException(failure);
            }
        })
        { IsBackground = true, Name = "demo launcher" };
        thread.Start();
        return ended.Task;
    }

    /// <summary>unshare keeps SIGTERM for itself; its only child is the program.</summary>
    private static void AskToEnd(int unshare)
    {
        foreach (var child in Children(unshare))
            _ = Kill(child, (int)Signal.Terminate);
    }

    private static IEnumerable<int> Children(int processId)
    {
        try
        {
            return File.ReadAllText($"/proc/{processId}/task/{processId}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ToArray();
        }
        catch (IOException)
        {
            return [];  // it has ended
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    internal static partial int Kill(int processId, int signal);
}

/// <summary>Signals by the numbers that Linux gives them on all its machines that .NET runs on.</summary>
internal enum Signal
{
    None = 0,
    Kill = 9,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}
