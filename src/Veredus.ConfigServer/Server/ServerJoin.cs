using System.Text;

namespace Veredus.ConfigServer;

/// <summary>Makes a new server one of a cluster: it gets the users and the service password from one that is in it.</summary>
public static class ServerJoin
{
    /// <param name="directory">The new server's.</param>
    /// <param name="fingerprint">The key that the other server must show; null: whatever it shows is told.</param>
    /// <exception cref="EccfgException">Another key, a wrong password, no answer.</exception>
    public static async Task RunAsync(string directory, string host, int port, string user, string password, string? fingerprint, Action<string> say, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var known = new KnownServers(directory);
        var shown = await known.PinFirstAsync(host, port, cancellationToken);
        if (fingerprint is not null && fingerprint != shown)
        {
            File.Delete(known.FileOf(host, port));
            throw new EccfgException(EccfgExit.Unreachable, $"{host}:{port} shows the key {shown}, not {fingerprint}");
        }
        say($"{host}:{port} has the key {shown}");
        using var client = new ConfigClient(host, port, user, password, await File.ReadAllTextAsync(known.FileOf(host, port), cancellationToken));
        var (users, service) = (await client.UsersAsync(cancellationToken), await client.ServicePasswordAsync(cancellationToken));
        AtomicFile.Write(Path.Combine(directory, "users"), Encoding.UTF8.GetBytes(users.TrimEnd('\n') + "\n"));
        AtomicFile.Write(Path.Combine(directory, "service.password"), Encoding.UTF8.GetBytes(service + "\n"));
    }
}
