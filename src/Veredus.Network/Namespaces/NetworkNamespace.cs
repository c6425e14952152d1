using System.Diagnostics;
using System.Globalization;

namespace Veredus.Network;

/// <summary>
/// A named network namespace (<c>ip netns</c>): a host of its own as far as the network goes. For the demonstration cluster and for tests; the
/// MTA itself needs none. Made and changed with iproute2, as root or inside a user namespace.
/// </summary>
public sealed class NetworkNamespace : IAsyncDisposable
{
    private const int CloneNewNet = 0x4000_0000;

    private NetworkNamespace(string name) => Name = name;

    public string Name { get; }

    /// <summary>Why namespaces can't be made here; <see langword="null"/> when they can.</summary>
    public static string? WhyNot() => !OperatingSystem.IsLinux() ? "network namespaces exist on Linux only"
        : !File.Exists("/usr/sbin/ip") && !File.Exists("/sbin/ip") ? "iproute2 is not installed"
        : !Environment.IsPrivilegedProcess ? "this process is not root"
        : null;

    /// <summary>Makes an empty namespace with its loopback up.</summary>
    /// <exception cref="IOException">ip said no; its words are in the message.</exception>
    public static async Task<NetworkNamespace> CreateAsync(string name, CancellationToken cancellationToken)
    {
        await IpAsync($"netns add {name}", cancellationToken);
        var created = new NetworkNamespace(name);
        await created.RunIpAsync("link set lo up", cancellationToken);
        return created;
    }

    /// <summary>Runs <c>ip</c> with these arguments inside the namespace.</summary>
    public Task RunIpAsync(string arguments, CancellationToken cancellationToken) => IpAsync($"-n {Name} {arguments}", cancellationToken);

    /// <summary>A pair of joined interfaces, one end here and one in <paramref name="other"/>; both up.</summary>
    public async Task ConnectAsync(string ownInterface, NetworkNamespace other, string otherInterface, CancellationToken cancellationToken)
    {
        await RunIpAsync(string.Create(CultureInfo.InvariantCulture,
            $"link add {ownInterface} type veth peer name {otherInterface} netns {other.Name}"), cancellationToken);
        await RunIpAsync($"link set {ownInterface} up", cancellationToken);
        await other.RunIpAsync($"link set {otherInterface} up", cancellationToken);
    }

    /// <summary>How to start a program in this namespace: prefix for its command line.</summary>
    public IReadOnlyList<string> ExecPrefix => ["ip", "netns", "exec", Name];

    /// <summary>Runs <paramref name="action"/> on a thread of its own inside the namespace. Sockets that it opens stay there.</summary>
    public Task<T> RunAsync<T>(Func<T> action)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The thread ends with the action: one that has changed its namespace must never serve anything else.
        var thread = new Thread(() =>
        {
            try
            {
                Enter();
                done.SetResult(action());
            }
            catch (Exception failure)
            {
                done.SetException(failure);
            }
        })
        { IsBackground = true, Name = $"netns {Name}" };
        thread.Start();
        return done.Task;
    }

    /// <summary>Moves the calling thread into the namespace, for the rest of its life.</summary>
    public void Enter()
    {
        using var file = File.OpenHandle($"/run/netns/{Name}");
        if (LibC.SetNs(file, CloneNewNet) != 0)
            throw LibC.Failure($"entering network namespace {Name}");
    }

    public async ValueTask DisposeAsync() => await IpAsync($"netns delete {Name}", CancellationToken.None);

    private static async Task IpAsync(string arguments, CancellationToken cancellationToken)
    {
        using var ip = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true, RedirectStandardOutput = true })
            ?? throw new IOException("ip could not be started.");
        var error = await ip.StandardError.ReadToEndAsync(cancellationToken);
        await ip.WaitForExitAsync(cancellationToken);
        if (ip.ExitCode != 0)
            throw new IOException($"ip {arguments}: {error.Trim()}");
    }
}
