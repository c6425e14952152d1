using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Veredus.Setup;

/// <summary>What setup proposes: read from this host.</summary>
internal static class HostGuess
{
    public static string NodeName => Dns.GetHostName().Split('.')[0].ToLowerInvariant();

    /// <summary>The first address that is not loopback, and the network that it is in; <see langword="null"/> on a host without one.</summary>
    public static (string Address, string Topology)? Network()
    {
        foreach (var link in NetworkInterface.GetAllNetworkInterfaces().Where(link => link.OperationalStatus == OperationalStatus.Up && link.NetworkInterfaceType != NetworkInterfaceType.Loopback))
            foreach (var found in link.GetIPProperties().UnicastAddresses.Where(found => found.Address.AddressFamily == AddressFamily.InterNetwork))
                return (found.Address.ToString(), $"{NetworkOf(found.Address, found.PrefixLength)} {link.Name}");
        return null;
    }

    /// <summary>The network and interface that hold an address of this host; empty if none does.</summary>
    public static string TopologyOf(string text)
    {
        if (!IPAddress.TryParse(text.Split(',')[0], out var address))
            return "";
        foreach (var link in NetworkInterface.GetAllNetworkInterfaces())
            foreach (var found in link.GetIPProperties().UnicastAddresses.Where(found => found.Address.Equals(address)))
                return $"{NetworkOf(found.Address, found.PrefixLength)} {link.Name}";
        return "";
    }

    public static bool HasAddress(IPAddress address) =>
        NetworkInterface.GetAllNetworkInterfaces().SelectMany(link => link.GetIPProperties().UnicastAddresses).Any(found => found.Address.Equals(address));

    public static bool HasInterface(string name) => NetworkInterface.GetAllNetworkInterfaces().Any(link => link.Name == name);

    private static string NetworkOf(IPAddress address, int length)
    {
        var bytes = address.GetAddressBytes();
        for (var bit = length; bit < bytes.Length * 8; bit++)
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        return $"{new IPAddress(bytes)}/{length}";
    }
}
