using System.Net.Sockets;
using System.Text;
using Veredus.Node.Hosting;

namespace Veredus.Node.Tests;

public sealed class HostingTests
{
    [Fact]
    public void The_node_number_is_drawn_once_and_kept()
    {
        var directory = Directory.CreateTempSubdirectory("veredus-").FullName;
        try
        {
            var number = NodeNumber.LoadOrCreate(directory);

            Assert.Equal(number, NodeNumber.LoadOrCreate(directory));
            File.WriteAllText(Path.Combine(directory, "node-number"), "seven");
            Assert.Contains("'seven'", Assert.Throws<IOException>(() => NodeNumber.LoadOrCreate(directory)).Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void Systemd_is_told_in_its_own_words()
    {
        var path = Path.Combine(Path.GetTempPath(), $"veredus-{Guid.NewGuid():N}.notify");
        using var supervisor = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        supervisor.Bind(new UnixDomainSocketEndPoint(path));
        try
        {
            using var systemd = new SystemdNotifier(path, "60000000");
            systemd.Ready("Receiving");
            systemd.Reloading(17);
            systemd.Watchdog();
            systemd.Stopping();

            Assert.Equal(TimeSpan.FromSeconds(30), systemd.WatchdogInterval);
            Assert.Equal(["READY=1\nSTATUS=Receiving", "RELOADING=1\nMONOTONIC_USEC=17", "WATCHDOG=1", "STOPPING=1"], Enumerable.Range(0, 4).Select(_ => Receive(supervisor)));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Without_a_supervisor_nothing_is_told()
    {
        using var systemd = new SystemdNotifier(null, "1");
        systemd.Ready("x");
        using var gone = new SystemdNotifier("/nowhere/notify", null);
        gone.Ready("x");

        Assert.Null(systemd.WatchdogInterval);
    }

    [Fact]
    public void Open_files_are_raised_as_far_as_allowed()
    {
        var limit = ResourceLimits.RaiseOpenFiles(1);

        Assert.InRange(limit, 1UL, ulong.MaxValue);
        Assert.Equal(limit, ResourceLimits.RaiseOpenFiles(limit));
    }

    private static string Receive(Socket socket)
    {
        var buffer = new byte[1024];
        return Encoding.UTF8.GetString(buffer, 0, socket.Receive(buffer));
    }
}
